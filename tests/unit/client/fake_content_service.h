// A coordinator's ContentService in memory.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "prefixmem/v1/content_service.grpc.pb.h"

namespace prefixmem::client {

class FakeContentService final : public v1::ContentService::Service {
 public:
  // Set before a command runs, read after it has ended.
  std::map<std::string, std::string> whole;       // by sha256
  std::map<std::string, std::string> unfinished;  // likewise
  // The next uploads fail with UNAVAILABLE once so many of their bytes have come.
  std::deque<size_t> breaks;
  std::optional<grpc::Status> refusal;  // of uploads
  std::map<std::string, v1::Model> models;
  // What was asked, in order: "SHA256 from OFFSET".
  std::vector<std::string> uploads;
  size_t largest_chunk = 0;

  // Of content with that sha256; whole or of an upload that broke.
  static std::string text(const v1::ContentHeader& header) {
    return header.sha256() + " from " + std::to_string(header.offset());
  }

 private:
  grpc::Status StatContent(grpc::ServerContext*, const v1::StatContentRequest* request,
                           v1::StatContentResponse* response) override {
    const std::lock_guard lock(mutex_);
    for (const std::string& sha256 : request->sha256()) {
      v1::ContentState& state = *response->add_contents();
      state.set_sha256(sha256);
      state.set_complete(whole.contains(sha256));
      const auto& bytes = state.complete() ? whole[sha256] : unfinished[sha256];
      state.set_received_bytes(static_cast<int64_t>(bytes.size()));
    }
    return grpc::Status::OK;
  }

  grpc::Status UploadContent(grpc::ServerContext*,
                             grpc::ServerReader<v1::UploadContentRequest>* reader,
                             v1::UploadContentResponse* response) override {
    v1::UploadContentRequest request;
    if (!reader->Read(&request)) return {grpc::StatusCode::FAILED_PRECONDITION, "no header"};
    const v1::ContentHeader header = request.header();
    const std::lock_guard lock(mutex_);
    uploads.push_back(text(header));
    if (refusal) return *refusal;
    std::string& bytes = unfinished[header.sha256()];
    bytes.resize(static_cast<size_t>(header.offset()));
    std::optional<size_t> left;
    if (!breaks.empty()) {
      left = breaks.front();
      breaks.pop_front();
    }
    while (reader->Read(&request)) {
      largest_chunk = std::max(largest_chunk, request.chunk().size());
      if (left && request.chunk().size() >= *left) {
        bytes += request.chunk().substr(0, *left);
        return {grpc::StatusCode::UNAVAILABLE, "the test broke the upload"};
      }
      bytes += request.chunk();
    }
    whole[header.sha256()] = bytes;
    unfinished.erase(header.sha256());
    response->set_sha256(header.sha256());
    return grpc::Status::OK;
  }

  grpc::Status DownloadContent(grpc::ServerContext*, const v1::DownloadContentRequest* request,
                               grpc::ServerWriter<v1::DownloadContentResponse>* writer) override {
    const std::lock_guard lock(mutex_);
    const auto found = whole.find(request->sha256());
    if (found == whole.end()) return {grpc::StatusCode::NOT_FOUND, "there is no such content"};
    v1::DownloadContentResponse response;
    response.set_bytes(static_cast<int64_t>(found->second.size()));
    writer->Write(response);
    response.set_chunk(found->second.substr(static_cast<size_t>(request->offset())));
    writer->Write(response);
    return grpc::Status::OK;
  }

  grpc::Status AddModel(grpc::ServerContext*, const v1::AddModelRequest* request,
                        v1::Model* response) override {
    const std::lock_guard lock(mutex_);
    v1::Model& model = models[request->name()];
    model.set_name(request->name());
    model.set_content(request->content());
    *response = model;
    return grpc::Status::OK;
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models) *response->add_models() = model;
    return grpc::Status::OK;
  }
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                        v1::Model* response) override {
    const std::lock_guard lock(mutex_);
    const auto found = models.find(request->name());
    if (found == models.end()) return {grpc::StatusCode::NOT_FOUND, "there is no such model"};
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status RemoveModel(grpc::ServerContext* context, const v1::RemoveModelRequest* request,
                           v1::Model* response) override {
    v1::GetModelRequest wanted;
    wanted.set_name(request->name());
    const grpc::Status found = GetModel(context, &wanted, response);
    const std::lock_guard lock(mutex_);
    models.erase(request->name());
    return found;
  }

  std::mutex mutex_;
};

}  // namespace prefixmem::client
