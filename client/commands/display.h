// How `pmt watch` shows what happens.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "client/render/job_view.h"
#include "client/session.h"

namespace prefixmem::client {

class Display {
 public:
  using Time = std::chrono::system_clock::time_point;

  virtual ~Display() = default;
  // `view` is the job after the event.
  virtual Status event(const v1::JobEvent& event, const JobView& view) = 0;
  virtual void away(const Status& why) = 0;
  // The coordinator answers again; an event says so, too.
  virtual void back() {}

  // When it wants to be repainted next; Time::max(): not before the next event.
  virtual Time repaint_time() const { return Time::max(); }
  virtual Status repaint(const std::vector<JobView>& /*views*/) { return {}; }
  // After the last event.
  virtual Status finish(const std::vector<JobView>& /*views*/) { return {}; }
};

// By the session: JSON lines, bars on a terminal, otherwise lines.
std::unique_ptr<Display> make_display(Session& session);
// A note at each job's end, and nothing on the output.
std::unique_ptr<Display> make_note_display(Session& session);

}  // namespace prefixmem::client
