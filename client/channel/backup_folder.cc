#include "client/channel/backup_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/files.h"
#include "common/proto/timestamps.h"
#include "common/sha256.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr size_t kMostKnown = 100'000;  // more would not fit into a request; they are sent again
constexpr const char* kTemporary = "incoming.tmp";

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Of all blobs in the folder.
Result<std::set<std::string>> blobs_in(const fs::path& folder) {
  std::set<std::string> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename();
    if (is_sha256(name)) found.insert(name);
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  return found;
}

fs::path place_of_blob(const fs::path& folder, const std::string& sha256) {
  return folder / "blobs" / sha256.substr(0, 2) / sha256;
}

std::string database_name(const std::string& sha256) {
  return "coordinator-" + sha256.substr(0, 12) + ".db";
}

}  // namespace

Result<BackupFolder> BackupFolder::open(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "coordinator.db", error)) {
    return failed_precondition(fmt::format(
        "{} is a coordinator's data folder; allowed: a folder of a backup, or a new one",
        folder.string()));
  }
  BackupFolder backup(folder);
  PM_TRY(make_folders(folder / "blobs"));
  PM_ASSIGN(backup.known_, blobs_in(folder / "blobs"));
  return backup;
}

v1::BackUpRequest BackupFolder::request() const {
  v1::BackUpRequest request;
  for (const std::string& sha256 : known_) {
    if (static_cast<size_t>(request.known_sha256_size()) == kMostKnown) break;
    request.add_known_sha256(bytes_of(sha256));
  }
  return request;
}

Status BackupFolder::take(const v1::BackUpResponse& message) {
  switch (message.part_case()) {
    case v1::BackUpResponse::kDatabase:
      database_ = message.database();
      return create("", database_.bytes());
    case v1::BackUpResponse::kFile:
      PM_TRY(finish_file());
      return begin_file(message.file());
    case v1::BackUpResponse::kChunk:
      return write(message.chunk());
    case v1::BackUpResponse::kEnd:
      PM_TRY(finish_file());
      end_ = message.end();
      ended_ = true;
      return {};
    case v1::BackUpResponse::kCopying:
    case v1::BackUpResponse::PART_NOT_SET:
      break;
  }
  return {};
}

Status BackupFolder::begin_file(const v1::BackUpFile& file) {
  if (!is_sha256(file.sha256())) return data_loss("the backup has a file without a sha256");
  seen_.insert(file.sha256());
  return file.known() ? Status() : create(file.sha256(), file.bytes());
}

Status BackupFolder::create(const std::string& sha256, int64_t bytes) {
  temporary_ = folder_ / kTemporary;
  open_ = Fd(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!open_.valid()) return from_errno("creating " + temporary_.string(), errno);
  expected_ = sha256;
  left_ = bytes;
  digest_ = Sha256();
  return {};
}

Status BackupFolder::write(const std::string& chunk) {
  const auto size = static_cast<int64_t>(chunk.size());
  if (!open_.valid() || size > left_) return data_loss("the backup has bytes of no file");
  left_ -= size;
  received_ += size;
  digest_.update(chunk);
  return write_all(open_.get(), chunk, temporary_.string());
}

Status BackupFolder::finish_file() {
  if (!open_.valid()) return {};
  const std::string digest = digest_.finish_hex();
  if (left_ != 0) return data_loss(fmt::format("a file of the backup lacks {} bytes", left_));
  if (expected_.empty()) {
    database_digest_ = digest;
  } else if (digest != expected_) {
    return data_loss(fmt::format("{} of the backup arrived with sha256 {}", expected_, digest));
  }
  return publish(digest);
}

Status BackupFolder::publish(const std::string& digest) {
  const fs::path file =
      expected_.empty() ? folder_ / database_name(digest) : place_of_blob(folder_, digest);
  PM_TRY(make_folders(file.parent_path()));
  PM_TRY(publish_file(temporary_, file));
  open_.reset();
  return {};
}

Status BackupFolder::complete() {
  if (!ended_) return data_loss("the backup ended before all of it had come");
  if (database_digest_ != end_.database_sha256()) {
    return data_loss(fmt::format("the database of the backup arrived with sha256 {}, sent was {}",
                                 database_digest_, end_.database_sha256()));
  }
  PM_TRY(write_manifest());
  return remove_others();
}

Status BackupFolder::write_manifest() const {
  const nlohmann::ordered_json manifest = {
      {"format", kFormat},
      {"unix_ms", to_unix_millis(from_timestamp(database_.time()))},
      {"version", database_.version()},
      {"database",
       {{"file", database_name(database_digest_)},
        {"bytes", database_.bytes()},
        {"sha256", database_digest_}}},
      {"files", end_.files()},
      {"file_bytes", end_.file_bytes()}};
  return write_file_atomic(folder_ / "backup.json", manifest.dump(2) + "\n");
}

Status BackupFolder::remove_others() const {
  std::error_code error;
  for (const std::string& sha256 : known_) {
    if (!seen_.contains(sha256)) fs::remove(place_of_blob(folder_, sha256), error);
    if (error) return from_errno("removing " + sha256, error.value());
  }
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    const bool database = name.starts_with("coordinator-") && name.ends_with(".db");
    if (database && name != database_name(database_digest_)) fs::remove(at->path(), error);
  }
  return error ? from_errno("removing what is old in " + folder_.string(), error.value())
               : Status();
}

}  // namespace prefixmem::client
