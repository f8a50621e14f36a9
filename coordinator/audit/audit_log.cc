#include "coordinator/audit/audit_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "common/files.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string text_of(WallTime time) {
  const int64_t millis = to_unix_millis(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(millis / 1000)), millis % 1000);
}

std::string line_of(const AuditEntry& entry) {
  Json line = {{"time", text_of(entry.time)}, {"who", entry.who},   {"method", entry.method},
               {"what", entry.what},          {"code", entry.code}, {"message", entry.message}};
  if (entry.what.is_null()) line["what"] = Json::object();
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

fs::path older(const fs::path& file, int age) { return file.string() + "." + std::to_string(age); }

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(const fs::path& file,
                                                 std::function<void(const Status&)> on_failure,
                                                 const AuditLimits& limits) {
  std::unique_ptr<AuditLog> log(new AuditLog(file, std::move(on_failure), limits));
  const MutexLock lock(log->mutex_);
  PM_TRY(log->open_file());
  return log;
}

Status AuditLog::open_file() {
  fd_ = Fd(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_.valid()) return from_errno("opening " + file_.string(), errno);
  struct stat info{};
  if (fstat(fd_.get(), &info) != 0) return from_errno("examining " + file_.string(), errno);
  bytes_ = info.st_size;
  return {};
}

Status AuditLog::rotate() {
  for (int age = limits_.files - 1; age >= 1; --age) {
    const fs::path from = age == 1 ? file_ : older(file_, age - 1);
    const fs::path to = older(file_, age);
    if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
      return from_errno("renaming " + from.string() + " to " + to.string(), errno);
    }
  }
  return open_file();
}

Status AuditLog::write(const std::string& line) {
  const auto size = static_cast<int64_t>(line.size());
  if (bytes_ > 0 && bytes_ + size > limits_.file_bytes) PM_TRY(rotate());
  PM_TRY(write_all(fd_.get(), line, file_.string()));
  bytes_ += size;
  return {};
}

void AuditLog::append(const AuditEntry& entry) {
  const std::string line = line_of(entry);
  const MutexLock lock(mutex_);
  if (failed_) return;
  const Status written = write(line).with_context("the audit log does not take a line");
  if (written.ok()) return;
  failed_ = true;
  spdlog::error("{}", written.message());
  on_failure_(written);
}

}  // namespace prefixmem
