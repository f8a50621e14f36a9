// One file on its way from a worker into the store.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "coordinator/rpc/context.h"
#include "coordinator/store/blobs.h"

namespace prefixmem::rpc {

// What an artifact may be called and must bring; INVALID_ARGUMENT naming the field. Pure.
Status check_artifact(const v1::Artifact& artifact);

// Lists the file once it is whole, durable and of the size and digest that the header gives.
// Deletes itself.
class Upload final : public grpc::ServerReadReactor<v1::UploadArtifactRequest> {
 public:
  Upload(const ServiceContext& context, v1::UploadArtifactResponse* response);

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

  void end(const Status& status);

  Status take(const v1::UploadArtifactRequest& request);
  Status open(const v1::UploadHeader& header);
  Status write(const std::string& chunk);
  Status complete();

  const ServiceContext context_;
  v1::UploadArtifactResponse* const response_;
  v1::UploadArtifactRequest incoming_;
  v1::UploadHeader header_;
  std::unique_ptr<store::BlobWriter> blob_;  // once the header is there
};

}  // namespace prefixmem::rpc
