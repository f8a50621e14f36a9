// One event of a job as one line for a log file or a pipe.
#pragma once

#include <string>

#include "client/render/job_view.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem::client {

// "12:00:03  banking-1  step 12/100  loss 1.234  lr 0.001  3.21k tok/s  ETA 1m20s", without a line
// break. `view` is the job after the event.
std::string event_line(const v1::JobEvent& event, const JobView& view);

// "12:00:03  rank 0  warning  …", for `pmt logs`; the message alone may have line breaks.
std::string log_line(const v1::LogLine& line);

}  // namespace prefixmem::client
