#include "worker/agent/gang/output_log.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "common/files.h"
#include "common/spec/utf8.h"

namespace prefixmem::agent {
namespace {

constexpr size_t kLongestLine = 4096;

}  // namespace

OutputLog::OutputLog(Fd file, std::string name, int64_t most_bytes)
    : file_(std::move(file)), name_(std::move(name)), room_(most_bytes), buffer_(kLongestLine) {}

Result<OutputLog> OutputLog::create(const std::filesystem::path& file, int64_t most_bytes) {
  Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  return OutputLog(std::move(fd), file.string(), most_bytes);
}

Status OutputLog::add(std::string_view bytes) {
  for (std::string& line : buffer_.add(bytes)) keep(std::move(line));
  const auto fits = std::min<int64_t>(room_, static_cast<int64_t>(bytes.size()));
  room_ -= fits;
  return write_all(file_.get(), bytes.substr(0, static_cast<size_t>(fits)), name_);
}

void OutputLog::finish() {
  std::string rest = buffer_.take_rest();
  if (!rest.empty()) keep(std::move(rest));
}

// The tail travels as text: a line that is none loses its foreign bytes.
void OutputLog::keep(std::string line) {
  if (!spec::is_utf8(line)) {
    const auto foreign = [](unsigned char byte) { return byte >= 0x80; };
    std::replace_if(line.begin(), line.end(), foreign, '?');
  }
  lines_.push_back(std::move(line));
  if (lines_.size() > kTailLines) lines_.pop_front();
}

std::string OutputLog::tail() const {
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  return text;
}

}  // namespace prefixmem::agent
