#include "coordinator/rpc/upload.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>

#include "common/content/folder_list.h"
#include "common/event/event_json.h"
#include "common/guarded.h"
#include "common/proto/status_grpc.h"
#include "common/sha256.h"
#include "common/spec/utf8.h"

namespace prefixmem::rpc {
namespace {

constexpr const auto& kKinds = event::kNames<ArtifactEvent::Kind>;

Status check_sha256(const std::string& name, const std::string& value) {
  if (is_sha256(value)) return {};
  return invalid_argument(fmt::format("{} is \"{}\"; allowed: 64 lower-case hexadecimal digits",
                                      name, spec::shortened(value, 80)));
}

// Empty: there is none.
Status check_state_digest(const v1::UploadHeader& header) {
  if (header.state_digest().empty()) return {};
  if (header.artifact().kind() == "checkpoint") {
    return check_sha256("state_digest", header.state_digest());
  }
  return invalid_argument("state_digest is given with an artifact of kind " +
                          header.artifact().kind() + "; allowed: with a checkpoint");
}

}  // namespace

Status check_artifact(const v1::Artifact& artifact) {
  if (!stays_below(artifact.path())) {
    return invalid_argument(
        fmt::format("artifact.path is \"{}\"; allowed: a relative path below the job's folder",
                    spec::shortened(artifact.path(), 200)));
  }
  if (std::find(kKinds.begin(), kKinds.end(), artifact.kind()) == kKinds.end()) {
    return invalid_argument(fmt::format("artifact.kind is \"{}\"; allowed: one of {}",
                                        spec::shortened(artifact.kind(), 80),
                                        event::all_names<ArtifactEvent::Kind>()));
  }
  PM_TRY(check_sha256("artifact.sha256", artifact.sha256()));
  if (artifact.bytes() >= 0) return {};
  return invalid_argument(
      fmt::format("artifact.bytes is {}; allowed: at least 0", artifact.bytes()));
}

Upload::Upload(const ServiceContext& context, v1::UploadArtifactResponse* response)
    : context_(context), response_(response) {
  StartRead(&incoming_);
}

void Upload::OnReadDone(bool ok) {
  if (!ok) return context_.files.post([this] { end(guarded([this] { return complete(); })); });
  const Status status = guarded([this] { return take(incoming_); });
  if (status.ok()) return StartRead(&incoming_);
  end(status);
}

void Upload::end(const Status& status) {
  if (!status.ok()) {
    spdlog::warn("upload of {} of {}: {}", spec::shortened(header_.artifact().path(), 200),
                 spec::shortened(header_.id().job_id(), 80), status.message());
  }
  blob_.reset();  // what was refused is gone before its sender hears of it
  Finish(to_grpc(status));
}

Status Upload::take(const v1::UploadArtifactRequest& request) {
  if (request.has_header()) return open(request.header());
  return write(request.chunk());
}

Status Upload::open(const v1::UploadHeader& header) {
  if (blob_) return failed_precondition("the header of an upload is sent once, first");
  header_ = header;
  PM_TRY(check_artifact(header.artifact()));
  PM_TRY(check_state_digest(header));
  PM_TRY(context_.coordinator.may_upload(header.id(), header.artifact()));
  PM_ASSIGN(blob_, context_.coordinator.blobs().begin());
  return {};
}

Status Upload::write(const std::string& chunk) {
  if (!blob_) return failed_precondition("an upload begins with its header");
  const int64_t announced = header_.artifact().bytes();
  if (blob_->bytes() + static_cast<int64_t>(chunk.size()) > announced) {
    return data_loss(fmt::format("{} has more than the announced {} bytes",
                                 header_.artifact().path(), announced));
  }
  return blob_->write(chunk);
}

// A stream that breaks in the middle ends here too: the size tells.
Status Upload::complete() {
  if (!blob_) return failed_precondition("an upload begins with its header");
  const v1::Artifact& artifact = header_.artifact();
  if (blob_->bytes() != artifact.bytes()) {
    return data_loss(fmt::format("{} ended after {} of the announced {} bytes", artifact.path(),
                                 blob_->bytes(), artifact.bytes()));
  }
  PM_TRY(blob_->finish(artifact.sha256()));
  PM_ASSIGN(*response_->mutable_artifact(),
            context_.coordinator.add_artifact(header_.id(), artifact, header_.state_digest()));
  return {};
}

}  // namespace prefixmem::rpc
