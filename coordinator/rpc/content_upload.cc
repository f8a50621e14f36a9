#include "coordinator/rpc/content_upload.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/guarded.h"
#include "common/proto/status_grpc.h"
#include "common/sha256.h"
#include "coordinator/rpc/caller.h"
#include "coordinator/rpc/content_read.h"

namespace prefixmem::rpc {

ContentUpload::ContentUpload(const ServiceContext& context, const grpc::CallbackServerContext& call,
                             v1::UploadContentResponse* response)
    : context_(context),
      digest_(sha256_hex(bearer_of(call.client_metadata()))),
      response_(response) {
  const Status admitted = guarded([&] { return admit(call); });
  if (admitted.ok()) {
    StartRead(&incoming_);
  } else {
    Finish(to_grpc(admitted));
  }
}

Status ContentUpload::admit(const grpc::CallbackServerContext& call) {
  const std::string caller = caller_name(call, context_.tokens);
  PM_TRY(context_.limits.admit(caller));
  PM_ASSIGN(place_, context_.limits.open_stream(caller));
  PM_ASSIGN(tenant_, tenant_of(call, context_.tokens));
  return {};
}

void ContentUpload::OnReadDone(bool ok) {
  if (!ok) return context_.files.post([this] { end(guarded([this] { return complete(); })); });
  const Status status = guarded([this] { return take(); });
  if (status.ok() && !answered_) return StartRead(&incoming_);
  end(status);
}

void ContentUpload::end(const Status& status) {
  if (!status.ok()) spdlog::warn("upload of content {}: {}", header_.sha256(), status.message());
  // Whoever hears of this may go on at once.
  blob_.reset();
  quota_place_.reset();
  place_.reset();
  Finish(to_grpc(status));
}

Status ContentUpload::take() {
  if (context_.tokens != nullptr) PM_TRY(context_.tokens->check(digest_));
  return incoming_.has_header() ? open(incoming_.header()) : write(incoming_.chunk());
}

// An artifact of a job may have the same content: then nothing need be sent.
Status ContentUpload::open(const v1::ContentHeader& header) {
  if (blob_) return failed_precondition("the header of an upload is sent once, first");
  PM_TRY(check_digest(header.sha256()));
  header_ = header;
  if (header.bytes() < 0 || header.offset() < 0 || header.offset() > header.bytes()) {
    return invalid_argument(
        fmt::format("bytes is {} and offset is {}; allowed: an offset from 0 to bytes",
                    header.bytes(), header.offset()));
  }
  store::Blobs& blobs = context_.coordinator.blobs();
  const auto pin = blobs.pin(header.sha256());
  PM_ASSIGN(const auto there, blobs.size(header.sha256()));
  PM_ASSIGN(const auto counted, context_.coordinator.reader().content_bytes(header.sha256()));
  if (!counted) {
    PM_ASSIGN(quota_place_, context_.coordinator.reserve(tenant_, header.bytes()));
  }
  if (there == header.bytes()) return answer();
  PM_ASSIGN(blob_, blobs.resume({header.sha256(), header.bytes(), header.offset()}));
  return {};
}

Status ContentUpload::write(const std::string& chunk) {
  if (!blob_) return failed_precondition("an upload begins with its header");
  if (blob_->bytes() + static_cast<int64_t>(chunk.size()) > header_.bytes()) {
    blob_->discard();
    return data_loss(fmt::format("content {} has more than the announced {} bytes",
                                 header_.sha256(), header_.bytes()));
  }
  return blob_->write(chunk);
}

// A stream that breaks in the middle ends here too: the size tells.
Status ContentUpload::complete() {
  if (!blob_) return failed_precondition("an upload begins with its header");
  if (blob_->bytes() != header_.bytes()) {
    return data_loss(fmt::format(
        "content {} ended after {} of the announced {} bytes; the next upload goes on from there",
        header_.sha256(), blob_->bytes(), header_.bytes()));
  }
  PM_TRY(blob_->finish(header_.sha256()));
  return answer();
}

Status ContentUpload::answer() {
  PM_TRY(context_.coordinator.add_content({{{}, header_.bytes(), header_.sha256()}}, tenant_));
  response_->set_sha256(header_.sha256());
  response_->set_bytes(header_.bytes());
  answered_ = true;
  return {};
}

}  // namespace prefixmem::rpc
