#include "tests/load/submitters.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <chrono>

#include "prefixmem/v1/job_service.grpc.pb.h"

namespace prefixmem::load {
namespace {

constexpr auto kPause = std::chrono::milliseconds(5);  // between looks at the queue's length

v1::SubmitJobRequest request_of(int64_t number) {
  v1::SubmitJobRequest request;
  request.set_yaml(
      fmt::format("name: load-{}\n"
                  "model: Qwen2.5-0.5B\n"
                  "method: {{type: lora, r: 8}}\n"
                  "data: {{train: rows.jsonl, format: prompt_completion}}\n"
                  "train: {{max_steps: 20, learning_rate: 1e-3}}\n",
                  number));
  request.set_idempotency_key(fmt::format("load-{}", number));
  return request;
}

}  // namespace

Submitters::Submitters(int clients, const std::function<std::shared_ptr<grpc::Channel>()>& dial,
                       std::function<int64_t()> started)
    : started_(std::move(started)) {
  for (int i = 0; i < clients; ++i) {
    clients_.emplace_back(
        [this, channel = dial()](const std::stop_token& stop) { run(channel, stop); });
  }
}

Submitters::~Submitters() {
  for (std::jthread& client : clients_) client.request_stop();
}

void Submitters::fill_to(int64_t jobs) {
  wanted_ = jobs;
  while (is_short()) std::this_thread::sleep_for(kPause);
}

void Submitters::run(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& stop) {
  const auto stub = v1::JobService::NewStub(channel);
  while (!stop.stop_requested()) {
    if (!is_short()) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    grpc::ClientContext context;
    v1::SubmitJobResponse response;
    const SteadyTime start = std::chrono::steady_clock::now();
    const grpc::Status status = stub->SubmitJob(&context, request_of(++named_), &response);
    latency.add(seconds_since(start));
    status.ok() ? ++submitted_ : ++refused;
    if (!status.ok()) fmt::print(stderr, "SubmitJob: {}\n", status.error_message());
  }
}

}  // namespace prefixmem::load
