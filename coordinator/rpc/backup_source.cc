#include "coordinator/rpc/backup_source.h"

#include <fmt/format.h>

#include <utility>

#include "common/proto/timestamps.h"
#include "common/version.h"
#include "coordinator/store/directory_blobs.h"

namespace prefixmem::rpc {
namespace {

constexpr size_t kDigestBytes = 32;
constexpr size_t kChunkBytes = size_t{1} << 20;

Result<std::set<std::string>> known_of(const v1::BackUpRequest& request) {
  std::set<std::string> known;
  for (const std::string& digest : request.known_sha256()) {
    if (digest.size() != kDigestBytes) {
      return invalid_argument(fmt::format("known_sha256 holds one of {} bytes; allowed: {} bytes",
                                          digest.size(), kDigestBytes));
    }
    std::string hex;
    for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
    known.insert(std::move(hex));
  }
  return known;
}

}  // namespace

Result<std::unique_ptr<Source<v1::BackUpResponse>>> BackupSource::begin(
    const ServiceContext& context, const v1::BackUpRequest& request) {
  PM_ASSIGN(auto known, known_of(request));
  PM_ASSIGN(auto snapshot, context.coordinator.begin_snapshot());
  std::unique_ptr<BackupSource> source(
      new BackupSource(context.coordinator.blobs(), std::move(snapshot), std::move(known)));
  *source->header_.mutable_time() = to_timestamp(context.clock.wall());
  source->header_.set_version(std::string(version()));
  return std::unique_ptr<Source<v1::BackUpResponse>>(std::move(source));
}

Result<Pulled<v1::BackUpResponse>> BackupSource::pull() {
  if (stage_ == Stage::kDone) return Pulled<v1::BackUpResponse>{.end = Status()};
  Part part =
      stage_ == Stage::kCopy ? copy() : (stage_ == Stage::kDatabase ? database() : next_file());
  if (!part.ok()) return part.status();
  return Pulled<v1::BackUpResponse>{.message = std::move(part).value()};
}

BackupSource::Part BackupSource::copy() {
  v1::BackUpResponse part;
  PM_ASSIGN(const bool done, snapshot_->copy_more());
  if (!done) {
    part.mutable_copying()->set_pages(snapshot_->pages());
    part.mutable_copying()->set_copied_pages(snapshot_->copied_pages());
    return part;
  }
  PM_ASSIGN(const auto digests, snapshot_->blobs());
  files_.assign(digests.begin(), digests.end());
  PM_ASSIGN(open_, store::read_as_blob(snapshot_->file()));
  header_.set_bytes(open_->bytes());
  *part.mutable_database() = header_;
  stage_ = Stage::kDatabase;
  return part;
}

Result<std::optional<v1::BackUpResponse>> BackupSource::chunk() {
  if (!open_) return std::optional<v1::BackUpResponse>();
  PM_ASSIGN(std::string bytes, open_->read(kChunkBytes));
  if (bytes.empty()) {
    open_.reset();
    return std::optional<v1::BackUpResponse>();
  }
  std::optional<v1::BackUpResponse> part(std::in_place);
  part->set_chunk(std::move(bytes));
  return part;
}

BackupSource::Part BackupSource::database() {
  PM_ASSIGN(auto part, chunk());
  if (part) {
    digest_.update(part->chunk());
    return *std::move(part);
  }
  end_.set_database_sha256(digest_.finish_hex());
  stage_ = Stage::kFiles;
  return next_file();
}

BackupSource::Part BackupSource::next_file() {
  PM_ASSIGN(auto part, chunk());
  if (part) return *std::move(part);
  if (files_.empty()) return end();
  const std::string sha256 = files_.front();
  files_.pop_front();
  return begin_file(sha256);
}

BackupSource::Part BackupSource::begin_file(const std::string& sha256) {
  PM_ASSIGN(auto blob, blobs_.read(sha256));
  v1::BackUpResponse part;
  part.mutable_file()->set_sha256(sha256);
  part.mutable_file()->set_bytes(blob->bytes());
  part.mutable_file()->set_known(known_.contains(sha256));
  end_.set_files(end_.files() + 1);
  end_.set_file_bytes(end_.file_bytes() + blob->bytes());
  if (!part.file().known()) open_ = std::move(blob);
  return part;
}

BackupSource::Part BackupSource::end() {
  stage_ = Stage::kDone;
  v1::BackUpResponse part;
  *part.mutable_end() = end_;
  return part;
}

}  // namespace prefixmem::rpc
