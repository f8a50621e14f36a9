#include "worker/trainer/train/metrics_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "worker/trainer/train/event_object.h"

namespace prefixmem::trainer {
namespace {

// Bytes at the head of the file that are whole lines of steps up to `last_step`.
int64_t length_to_keep(const std::filesystem::path& file, int64_t last_step) {
  std::ifstream stream(file, std::ios::binary);
  int64_t length = 0;
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object() || object.value("step", int64_t{0}) > last_step) break;
    length += static_cast<int64_t>(line.size()) + 1;
  }
  return length;
}

}  // namespace

Result<std::unique_ptr<MetricsFile>> MetricsFile::open(const std::filesystem::path& path,
                                                       int64_t last_step) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return from_errno("opening " + path.string(), errno);
  std::unique_ptr<MetricsFile> metrics(new MetricsFile(path, file));
  if (ftruncate(file, length_to_keep(path, last_step)) != 0) {
    return from_errno("truncating " + path.string(), errno);
  }
  return metrics;
}

MetricsFile::~MetricsFile() { close(file_); }

Status MetricsFile::append(const StepEvent& step) {
  return write_all(file_, event_object(step).dump() + "\n", path_.string());
}

Status MetricsFile::sync() {
  return fsync(file_) == 0 ? Status() : from_errno("syncing " + path_.string(), errno);
}

}  // namespace prefixmem::trainer
