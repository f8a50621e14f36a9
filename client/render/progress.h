// The live display of `pmt watch`.
#pragma once

#include <string>
#include <vector>

#include "client/render/job_view.h"

namespace prefixmem::client {

// "name  [bar]  12/100  loss 1.234  3.21k tok/s  ETA 1m20s", at most `width` columns. The
// bar takes what room the rest leaves, down to none; a job that does not train shows its phase, or
// its state and reason.
std::string progress_line(const JobView& view, size_t name_columns, size_t width);

// A line a job, at most `height` lines: where they do not fit, jobs that run come first and the
// last line counts the rest.
std::vector<std::string> progress_block(const std::vector<JobView>& views, size_t width,
                                        size_t height);

// Lines that replace those painted before, in place.
class LiveBlock {
 public:
  // What to write to the terminal so that it shows `lines` where it showed the last ones.
  std::string repaint(const std::vector<std::string>& lines);

 private:
  size_t painted_ = 0;
};

}  // namespace prefixmem::client
