#include "coordinator/restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>

#include "common/clock.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/store/directory_blobs.h"
#include "coordinator/store/s3/s3_blobs.h"
#include "coordinator/store/schema.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;                     // of backup.json
constexpr const char* kIncoming = "incoming";  // below the data folder; not in use yet
constexpr const char* kLapFile = "restores";   // how many there have been
constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr std::array<const char*, 4> kParts = {"coordinator.db", "coordinator.db-wal",
                                               "coordinator.db-shm", "blobs"};

// backup.json, by its writer client/channel/backup_folder.cc.
struct Manifest {
  std::string database;
  std::string database_sha256;
  WallTime time;
};

Result<Manifest> read_manifest(const fs::path& backup) {
  const fs::path file = backup / "backup.json";
  auto text = read_file(file, int64_t{1} << 20);
  if (!text.ok()) return text.status().with_context("the backup is not whole");
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("format") || json["format"] != kFormat) {
    return data_loss(fmt::format("{} is no description of a backup; allowed: format {}",
                                 file.string(), kFormat));
  }
  try {
    return Manifest{json.at("database").at("file"), json.at("database").at("sha256"),
                    from_unix_millis(json.at("unix_ms"))};
  } catch (const nlohmann::json::exception& error) {
    return data_loss(fmt::format("{}: {}", file.string(), error.what()));
  }
}

Status move_to(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return from_errno("renaming " + from.string() + " to " + to.string(), errno);
}

// Durable when it returns OK.
Status copy_checked(const fs::path& from, const std::string& sha256, const fs::path& to) {
  const Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.valid())
    return from_errno("the backup is not whole: opening " + from.string(), errno);
  const Fd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!target.valid()) return from_errno("creating " + to.string(), errno);
  Sha256 digest;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(source.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno("reading " + from.string(), errno);
    if (count == 0) break;
    const std::string_view bytes(piece.data(), static_cast<size_t>(count));
    digest.update(bytes);
    PM_TRY(write_all(target.get(), bytes, to.string()));
  }
  if (::fsync(target.get()) != 0) return from_errno("syncing " + to.string(), errno);
  const std::string actual = digest.finish_hex();
  if (actual == sha256) return {};
  return data_loss(fmt::format("{} of the backup is damaged: its sha256 is {}, expected was {}",
                               from.string(), actual, sha256));
}

Result<std::set<std::string>> named_blobs(const fs::path& folder) {
  const fs::path file = folder / "coordinator.db";
  PM_ASSIGN(auto database, store::Database::open(file));
  PM_TRY(store::prepare_schema(database));  // an older version's has not every list of blobs
  PM_ASSIGN(const auto reader, store::Reader::open(file));
  return reader->digests();
}

Status copy_blobs(const fs::path& backup, const fs::path& folder) {
  PM_ASSIGN(const auto digests, named_blobs(folder));
  PM_TRY(make_folders(folder / "blobs"));
  for (const std::string& sha256 : digests) {
    const fs::path place = store::place_of_blob(folder / "blobs", sha256);
    PM_TRY(make_folders(place.parent_path()));
    PM_TRY(copy_checked(store::place_of_blob(backup / "blobs", sha256), sha256, place));
    PM_TRY(sync_folder(place.parent_path()));
  }
  return sync_folder(folder / "blobs");
}

// So that the store of before is the bucket's owner still, should the restore be cut off.
Status keep_identity(const fs::path& data_dir, const fs::path& folder) {
  const fs::path from = data_dir / "blobs" / store::s3::S3Blobs::kIdentity;
  const auto identity = read_file(from, 256);
  if (identity.status().code() == Code::kNotFound) return {};
  PM_TRY(identity.status());
  PM_TRY(make_folders(folder / "blobs"));
  return write_file_atomic(folder / "blobs" / store::s3::S3Blobs::kIdentity, *identity);
}

// Those of the bucket stay: the store that is to be replaced names them. The writer checks each.
Status send_blobs(const fs::path& backup, const fs::path& folder, const store::s3::Flags& flags) {
  PM_ASSIGN(const auto digests, named_blobs(folder));
  PM_ASSIGN(const auto options, store::s3::read_options(flags));
  PM_ASSIGN(const auto bucket, store::s3::S3Blobs::open(options, folder / "blobs",
                                                        store::s3::S3Blobs::Owner::kAnybody));
  for (const std::string& sha256 : digests) {
    const fs::path from = store::place_of_blob(backup / "blobs", sha256);
    auto source = store::read_as_blob(from);
    if (!source.ok()) return source.status().with_context("the backup is not whole");
    PM_ASSIGN(const auto there, bucket->size(sha256));
    if (there == (*source)->bytes()) continue;
    PM_ASSIGN(const auto writer, bucket->begin());
    for (;;) {
      PM_ASSIGN(const std::string piece, (*source)->read(kPieceBytes));
      if (piece.empty()) break;
      PM_TRY(writer->write(piece));
    }
    PM_TRY(writer->finish(sha256).with_context(from.string()));
  }
  return {};
}

struct Restored {
  size_t unfinished = 0;
  size_t files = 0;
};

// As its own coordinator would: tables brought up, attempts ended.
Result<Restored> prepare_store(const fs::path& folder, const Manifest& manifest, int lap) {
  FakeClock clock;  // what is written bears the time of the backup
  clock.set_wall(manifest.time);
  Metrics metrics;
  Status failure;
  PM_ASSIGN(const auto store, store::Store::open_database(folder));
  PM_ASSIGN(
      const auto coordinator,
      Coordinator::start({}, {*store, clock, metrics, [&](const Status& s) { failure = s; }}));
  PM_TRY(coordinator->begin_again(
      "the coordinator was restored from a backup of " + utc_text(manifest.time), lap));
  PM_ASSIGN(const auto jobs, store->reader().unfinished_jobs());
  PM_ASSIGN(const auto digests, store->reader().digests());
  return Restored{jobs.size(), digests.size()};
}

Result<int> next_lap(const fs::path& data_dir) {
  const auto text = read_file(data_dir / kLapFile, 32);
  if (text.status().code() == Code::kNotFound) return 1;
  PM_TRY(text.status());
  int laps = 0;
  const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), laps);
  if (error == std::errc() && laps > 0) return laps + 1;
  return data_loss(fmt::format("{} holds \"{}\"; allowed: how many restores there have been",
                               (data_dir / kLapFile).string(), *text));
}

Status move_parts(const fs::path& from, const fs::path& to) {
  for (const char* part : kParts) PM_TRY(move_to(from / part, to / part));
  PM_TRY(sync_folder(to));
  return sync_folder(from);
}

// From the first rename to the last, the mark keeps coordinators away.
Status exchange(const fs::path& data_dir, const fs::path& replaced) {
  const fs::path mark = data_dir / store::Store::kRestoring;
  PM_TRY(write_file_atomic(mark, ""));
  PM_TRY(make_folders(replaced));
  PM_TRY(move_parts(data_dir, replaced));
  PM_TRY(move_parts(data_dir / kIncoming, data_dir));
  PM_TRY(remove_tree(data_dir / kIncoming));
  if (::unlink(mark.c_str()) != 0) return from_errno("removing " + mark.string(), errno);
  return sync_folder(data_dir);
}

// Fills `folder` with the store as it is to be.
Result<Restored> unpack(const RestoreOptions& options, const fs::path& folder, int lap) {
  const fs::path& backup = options.backup;
  PM_ASSIGN(const Manifest manifest, read_manifest(backup));
  PM_TRY(remove_tree(folder));
  PM_TRY(make_folders(folder));
  PM_TRY(copy_checked(backup / manifest.database, manifest.database_sha256,
                      folder / "coordinator.db"));
  PM_TRY(keep_identity(options.data_dir, folder));
  PM_TRY(options.s3.blobs.empty() ? copy_blobs(backup, folder)
                                  : send_blobs(backup, folder, options.s3));
  return prepare_store(folder, manifest, lap);
}

}  // namespace

Status restore(const RestoreOptions& options) {
  spdlog::set_level(spdlog::level::warn);
  PM_TRY(make_folders(options.data_dir));
  PM_ASSIGN(const auto lock, FileLock::acquire(options.data_dir / "lock"));
  PM_ASSIGN(const int lap, next_lap(options.data_dir));
  const fs::path incoming = options.data_dir / kIncoming;
  const auto restored = unpack(options, incoming, lap);
  if (!restored.ok()) {
    PM_TRY(remove_tree(incoming));
    return restored.status();
  }
  PM_TRY(write_file_atomic(options.data_dir / kLapFile, fmt::format("{}\n", lap)));
  const fs::path replaced = options.data_dir / fmt::format("replaced-{}", lap);
  PM_TRY(exchange(options.data_dir, replaced));
  return write_all(
      STDERR_FILENO,
      fmt::format("pmt-coordinator: restored {} unfinished jobs and {} files; what was there is in "
                  "{}, which may be removed once all is well\n",
                  restored->unfinished, restored->files, replaced.string()),
      "stderr");
}

}  // namespace prefixmem
