// The coordinator's side of WorkerService, in this process on a free port of loopback.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/sha256.h"
#include "common/thread_annotations.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"
#include "tests/unit/agent/assigned.h"

namespace prefixmem::agent {

// Thread-safe. Waits are bounded and end the test as failed.
class FakeCoordinator final : public v1::WorkerService::Service {
 public:
  FakeCoordinator() { start(); }
  ~FakeCoordinator() override { stop(); }

  // Comes back at its old address.
  void start() {
    grpc::ServerBuilder builder;
    const std::string address = "127.0.0.1:" + std::to_string(port_);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  void stop() {
    if (!server_) return;
    hang_up();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Breaks the stream off.
  void hang_up() {
    const MutexLock lock(mutex_);
    if (call_ != nullptr) call_->TryCancel();
  }

  // How many the worker has closed and not broken off.
  int closed_streams() {
    const MutexLock lock(mutex_);
    return closed_streams_;
  }
  // While it does, a stream that is closed is not ended.
  void stand_still(bool stands) {
    const MutexLock lock(mutex_);
    stands_still_ = stands;
    changed_.notify_all();
  }

  // The next message for which `wanted` holds; others before it are dropped.
  using Wanted = std::function<bool(const v1::WorkerMessage&)>;
  v1::WorkerMessage next(const Wanted& wanted) {
    const MonotonicTime deadline = real_clock().monotonic() + Millis(60000);
    const MutexLock lock(mutex_);
    do {
      while (!inbox_.empty()) {
        const v1::WorkerMessage message = std::move(inbox_.front());
        inbox_.pop_front();
        if (wanted(message)) return message;
      }
    } while (changed_.wait_until(mutex_, deadline));
    ADD_FAILURE() << "the message awaited did not come";
    return {};
  }
  v1::Register next_register() {
    return next([](const auto& m) { return m.has_register_(); }).register_();
  }
  v1::AttemptEvents next_events() {
    return next([](const auto& m) { return m.has_events(); }).events();
  }
  v1::AttemptEnded next_ended() {
    return next([](const auto& m) { return m.has_ended(); }).ended();
  }

  void send(const v1::CoordinatorMessage& message) {
    const MutexLock lock(mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }
  // Answers a registration.
  void welcome(const std::vector<v1::AttemptId>& stale = {}, double heartbeat_seconds = 0.1) {
    v1::CoordinatorMessage message;
    message.mutable_registered()->set_heartbeat_seconds(heartbeat_seconds);
    for (const auto& id : stale) *message.mutable_registered()->add_stale() = id;
    send(message);
  }
  void assign(const v1::AttemptId& id) {
    v1::CoordinatorMessage message;
    message.mutable_assign()->set_ranks(2);
    v1::AssignedAttempt& attempt = *message.mutable_assign()->add_attempts();
    *attempt.mutable_id() = id;
    attempt.set_job_name("n");
    attempt.set_spec_yaml(kSpecYaml);
    send(message);
  }
  void acknowledge(const v1::AttemptId& id, int64_t up_to) {
    v1::CoordinatorMessage message;
    *message.mutable_events_acknowledged()->mutable_id() = id;
    message.mutable_events_acknowledged()->set_up_to_number(up_to);
    send(message);
  }
  void acknowledge_end(const v1::AttemptId& id) {
    v1::CoordinatorMessage message;
    *message.mutable_end_acknowledged()->mutable_id() = id;
    send(message);
  }

  // The store: the last upload's header and bytes; the status of uploads; the bytes of fetches.
  v1::UploadHeader uploaded;
  std::string uploaded_bytes;
  std::function<void()> on_header = [] {};  // called before an upload's bytes are read
  grpc::Status answer;
  std::string stored;
  bool cut_short = false;
  bool damaged = false;          // of content, its last byte
  std::vector<int64_t> offsets;  // that content was asked from
  size_t largest_chunk = 0;

 private:
  using Stream = grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>;

  grpc::Status Connect(grpc::ServerContext* call, Stream* stream) override {
    set_current(call, stream);
    v1::WorkerMessage message;
    while (stream->Read(&message)) {
      const MutexLock lock(mutex_);
      inbox_.push_back(message);
      changed_.notify_all();
    }
    const MutexLock lock(mutex_);
    if (stream_ == stream) {  // the next one may be there already
      call_ = nullptr;
      stream_ = nullptr;
    }
    while (stands_still_) changed_.wait(mutex_);
    closed_streams_ += call->IsCancelled() ? 0 : 1;
    return grpc::Status::OK;
  }
  void set_current(grpc::ServerContext* call, Stream* stream) {
    const MutexLock lock(mutex_);
    call_ = call;
    stream_ = stream;
  }

  grpc::Status UploadArtifact(grpc::ServerContext*,
                              grpc::ServerReader<v1::UploadArtifactRequest>* reader,
                              v1::UploadArtifactResponse*) override {
    uploaded_bytes.clear();
    v1::UploadArtifactRequest request;
    while (reader->Read(&request)) {
      if (request.has_header()) {
        uploaded = request.header();
        on_header();
      }
      largest_chunk = std::max(largest_chunk, request.chunk().size());
      uploaded_bytes += request.chunk();
    }
    return answer;
  }
  grpc::Status FetchArtifact(grpc::ServerContext*, const v1::FetchArtifactRequest* request,
                             grpc::ServerWriter<v1::FetchArtifactResponse>* writer) override {
    if (request->sha256() != sha256_hex(stored))
      return {grpc::StatusCode::NOT_FOUND, "no such file"};
    v1::FetchArtifactResponse response;
    for (const char byte : cut_short ? stored.substr(1) : stored) {
      response.set_chunk(std::string(1, byte));
      writer->Write(response);
    }
    return answer;
  }

  grpc::Status FetchContent(grpc::ServerContext*, const v1::FetchContentRequest* request,
                            grpc::ServerWriter<v1::FetchContentResponse>* writer) override {
    const MutexLock lock(mutex_);
    offsets.push_back(request->offset());
    if (request->sha256() != sha256_hex(stored)) {
      return {grpc::StatusCode::NOT_FOUND, "no such content"};
    }
    v1::FetchContentResponse response;
    response.set_bytes(static_cast<int64_t>(stored.size()));
    writer->Write(response);
    std::string rest = stored.substr(static_cast<size_t>(request->offset()));
    if (cut_short) rest = rest.substr(0, rest.size() / 2);
    if (damaged) rest.back() ^= 1;
    for (const char byte : rest) {
      response.set_chunk(std::string(1, byte));
      writer->Write(response);
    }
    return answer;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;

  Mutex mutex_;
  CondVar changed_;
  int closed_streams_ PM_GUARDED_BY(mutex_) = 0;
  bool stands_still_ PM_GUARDED_BY(mutex_) = false;
  std::deque<v1::WorkerMessage> inbox_ PM_GUARDED_BY(mutex_);
  grpc::ServerContext* call_ PM_GUARDED_BY(mutex_) = nullptr;
  Stream* stream_ PM_GUARDED_BY(mutex_) = nullptr;
};

inline v1::AttemptId attempt_id(const std::string& job, int attempt) {
  v1::AttemptId id;
  id.set_job_id(job);
  id.set_attempt(attempt);
  return id;
}

}  // namespace prefixmem::agent
