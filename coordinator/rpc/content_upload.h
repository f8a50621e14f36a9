// One file on its way from a user into the store, by its content.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "coordinator/rpc/context.h"
#include "coordinator/store/blobs.h"
#include "prefixmem/v1/content_service.pb.h"

namespace prefixmem::rpc {

// Counts the file once it is whole, durable and of the size and digest that the header gives. What
// a broken call has brought stays for the next. Counts as a stream of its caller. Deletes itself.
class ContentUpload final : public grpc::ServerReadReactor<v1::UploadContentRequest> {
 public:
  ContentUpload(const ServiceContext& context, const grpc::CallbackServerContext& call,
                v1::UploadContentResponse* response);

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

  void end(const Status& status);

  Status admit(const grpc::CallbackServerContext& call);
  Status take();
  Status open(const v1::ContentHeader& header);
  Status write(const std::string& chunk);
  Status complete();
  // The content is there: counts it.
  Status answer();

  const ServiceContext context_;
  const std::string digest_;  // of the caller's secret, asked for again with each chunk
  v1::UploadContentResponse* const response_;
  std::shared_ptr<const void> place_;  // among its caller's streams
  std::string tenant_;                 // of its caller
  std::shared_ptr<const void> quota_place_;
  v1::UploadContentRequest incoming_;
  v1::ContentHeader header_;
  std::unique_ptr<store::BlobWriter> blob_;  // once the header is there
  bool answered_ = false;                    // the content was there before
};

}  // namespace prefixmem::rpc
