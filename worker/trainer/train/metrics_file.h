// DIR/metrics.jsonl: one object a step with StepEvent's keys, in order, each step once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "common/event/event.h"
#include "common/status.h"

namespace prefixmem::trainer {

class MetricsFile {
 public:
  // Opens the file for more lines. Lines of steps above `last_step` (of a run that went on after
  // the checkpoint that is resumed) and a line that was cut short are dropped.
  static Result<std::unique_ptr<MetricsFile>> open(const std::filesystem::path& file,
                                                   int64_t last_step);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  Status append(const StepEvent& step);
  // On disk once it returns.
  Status sync();

 private:
  MetricsFile(std::filesystem::path path, int file) : path_(std::move(path)), file_(file) {}
  const std::filesystem::path path_;
  const int file_;
};

}  // namespace prefixmem::trainer
