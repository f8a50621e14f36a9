// The whole coordinator in this process on free ports, and clients of it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "coordinator/service.h"
#include "prefixmem/v1/job_service.grpc.pb.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {

// A file as one call brings it: its header, then chunks as long as the other side takes them.
template <class Request, class Header>
grpc::Status send_file(grpc::ClientWriter<Request>& writer, const Header& header,
                       const std::vector<std::string>& chunks) {
  Request request;
  *request.mutable_header() = header;
  bool open = writer.Write(request);
  for (const std::string& chunk : chunks) {
    request.set_chunk(chunk);
    open = open && writer.Write(request);
  }
  writer.WritesDone();
  return writer.Finish();
}

// A worker that says only what it is told to; its calls wait at most kPatience.
class TestWorker {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  explicit TestWorker(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::WorkerService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Connect(&context_);
  }
  ~TestWorker() { end(); }

  void say(const v1::WorkerMessage& message) { ASSERT_TRUE(try_say(message)); }
  bool try_say(const v1::WorkerMessage& message) { return stream_->Write(message); }
  void register_as(const std::string& id, int slots = 2) {
    v1::WorkerMessage message;
    message.mutable_register_()->set_worker_id(id);
    message.mutable_register_()->set_slots(slots);
    message.mutable_register_()->set_device("cpu");
    say(message);
  }
  // The next message; one with nothing set where the stream has ended.
  v1::CoordinatorMessage hear() {
    v1::CoordinatorMessage message;
    return stream_->Read(&message) ? message : v1::CoordinatorMessage();
  }
  // Hears until an assignment comes; its first attempt.
  v1::AssignedAttempt assignment() {
    for (;;) {
      const auto message = hear();
      if (message.has_assign()) return message.assign().attempts(0);
      if (message.message_case() == v1::CoordinatorMessage::MESSAGE_NOT_SET) return {};
    }
  }
  void tell(const v1::AttemptId& id, int64_t first_number, const v1::TrainerEvent& event) {
    v1::WorkerMessage message;
    *message.mutable_events()->mutable_id() = id;
    message.mutable_events()->set_first_number(first_number);
    *message.mutable_events()->add_events()->mutable_event() = event;
    say(message);
  }
  void tell_end(const v1::AttemptId& id, const std::string& code) {
    v1::WorkerMessage message;
    *message.mutable_ended()->mutable_id() = id;
    message.mutable_ended()->set_code(code);
    say(message);
  }
  grpc::Status end() {
    if (ended_) return {};
    ended_ = true;
    stream_->WritesDone();
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
    }
    return stream_->Finish();
  }

 private:
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  bool ended_ = false;
};

class ServedTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() {
    options_.data_dir = folder_.path() / "data";
    options_.listen = options_.http = "127.0.0.1:0";
    auto started = Service::start(options_, *clock_);
    ASSERT_TRUE(started.ok()) << started.status().message();
    service_ = std::move(started).value();
    channel_ = grpc::CreateChannel(service_->grpc_address(), credentials_);
    jobs_ = v1::JobService::NewStub(channel_);
    workers_ = v1::WorkerService::NewStub(channel_);
  }

  // A context of one call.
  static std::unique_ptr<grpc::ClientContext> call() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + TestWorker::kPatience);
    return context;
  }

  grpc::Status submit(const std::string& yaml, v1::SubmitJobResponse& response) {
    v1::SubmitJobRequest request;
    request.set_yaml(yaml);
    return jobs_->SubmitJob(call().get(), request, &response);
  }
  // Id of a new job.
  std::string submit_one(const std::string& name = "a") {
    v1::SubmitJobResponse response;
    const auto status =
        submit("{name: " + name + ", model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}}",
               response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.jobs_size() == 1 ? response.jobs(0).id() : "";
  }
  v1::Job job(const std::string& id) {
    v1::GetJobRequest request;
    request.set_job(id);
    v1::Job found;
    EXPECT_TRUE(jobs_->GetJob(call().get(), request, &found).ok());
    return found;
  }

  const TempFolder folder_;
  const Clock* clock_ = &real_clock();  // outlives the service
  ServiceOptions options_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_ = grpc::InsecureChannelCredentials();
  std::unique_ptr<Service> service_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

}  // namespace prefixmem
