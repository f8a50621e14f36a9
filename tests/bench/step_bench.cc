// One step of training on a random decoder of a real shape, without a job around it: how long, what
// share of the matmul rate (that of the faster dtype), and where the time goes.
//
//   step_bench gemma|qwen prefix_memory|lora ROWS TOKENS LABELS THREADS STEPS
//
// ROWS rows of TOKENS input tokens, the last LABELS of which predict a label; nothing is shared.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <span>
#include <string>
#include <utility>

#include "tests/bench/op_times.h"
#include "tests/bench/shapes.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/objective/sft.h"
#include "worker/trainer/ops/linear.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {
namespace {

struct Work {
  int64_t rows, tokens, labels, steps;
};

std::vector<Example> random_rows(const Work& work, int64_t vocab) {
  std::vector<Example> rows(work.rows);
  for (Example& row : rows) {
    const torch::Tensor ids = torch::randint(vocab, {work.tokens + 1}, torch::kInt);
    const std::span<const int32_t> values(ids.data_ptr<int32_t>(), ids.numel());
    row.ids.assign(values.begin(), values.end());
    row.prompt_tokens = work.tokens + 1 - work.labels;
  }
  return rows;
}

// Of one run: by the clock, and of the processor in all threads, waiting included. Where others use
// the machine too, only the latter says what the work costs.
struct Took {
  double seconds, processor;
};

template <class Body>
Took time(const Body& body) {
  const std::clock_t start = std::clock();
  const double seconds = seconds_of(body);
  return {seconds, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC};
}

// FLOP/s of product(a, b) = a bᵀ of square matrices, the best of several sizes.
template <class Product>
double matmul_rate(torch::ScalarType dtype, const Product& product) {
  double best = 0;
  for (const int64_t n : {1024, 2048, 3072}) {
    const torch::Tensor a = torch::randn({n, n}).to(dtype);
    const torch::Tensor b = torch::randn({n, n}).to(dtype);
    for (int i = 0; i < 12; ++i) {
      const double seconds = seconds_of([&] { product(a, b); });
      best = std::max(best, 2.0 * static_cast<double>(n * n * n) / seconds);
    }
  }
  return best;
}

// The best that is known of this processor: of LibTorch's products in either dtype and our own.
double best_rate() {
  const auto theirs = [](const auto& a, const auto& b) { return at::mm(a, b.t()); };
  const auto own = [](const auto& a, const auto& b) { return linear(a, {{b, {}}})[0]; };
  double best = 0;
  for (const auto& [whose, rate] : {std::pair{"LibTorch, fp32", matmul_rate(torch::kFloat, theirs)},
                                    {"LibTorch, bf16", matmul_rate(torch::kBFloat16, theirs)},
                                    {"own, bf16", matmul_rate(torch::kBFloat16, own)}}) {
    std::printf("square products, %s: %.0f GFLOP/s\n", whose, rate / 1e9);
    best = std::max(best, rate);
  }
  return best;
}

// 2N forward and 2N for the gradients of activations, N the weights that a token meets.
double flops_of(const Work& work, const ModelConfig& config, Adapter& adapter) {
  const auto weights = [](int64_t n) { return 4.0 * static_cast<double>(n); };
  const int64_t tokens = work.rows * work.tokens, labels = work.rows * work.labels;
  const int64_t early = config.hidden_size * (config.query_size() + 2 * config.key_value_size());
  const int64_t late = config.hidden_size * (config.query_size() + 3 * config.intermediate_size);
  const int64_t in_full = early * config.num_layers + late * (config.num_layers - 1);
  return weights(in_full + adapter.parameter_count()) * static_cast<double>(tokens) +
         weights(late + config.hidden_size * config.vocab_size) * static_cast<double>(labels);
}

int run(const std::string& shape, const std::string& method, const Work& work) {
  const ModelConfig config = shape == "gemma" ? gemma_shape() : qwen_shape();
  const double rate = best_rate();
  Transformer model(config, {}, random_weights(config));
  MethodSpec spec = PrefixMemoryMethod();
  if (method == "lora") spec = LoraMethod();
  const auto adapter = std::move(make_adapter(spec, {config, 1})).value();
  TrainSpec train;
  train.max_steps = work.steps + 2;
  train.global_batch_size = work.rows;
  const auto examples = random_rows(work, config.vocab_size);
  const auto objective = make_sft();
  const auto gang = make_single_collective(torch::kCPU);
  Trainer trainer({train, examples, 1, *objective, nullptr}, model, *adapter, *gang);

  std::vector<double> seconds, processor;
  for (int64_t i = 0; i < work.steps; ++i) {
    const Took took = time([&] { trainer.step().value(); });
    seconds.push_back(took.seconds);
    processor.push_back(took.processor);
  }
  std::sort(seconds.begin(), seconds.end());
  std::sort(processor.begin(), processor.end());
  const double flops = flops_of(work, config, *adapter);
  const double median = seconds[seconds.size() / 2], cost = processor[processor.size() / 2];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double reached = flops / median;
  std::printf(
      "%s %s: %.1f ms a step (best %.1f), %.0f tokens/s, %.0f of %.0f GFLOP/s: %.3f, %ld MiB\n",
      shape.c_str(), method.c_str(), median * 1e3, seconds[0] * 1e3,
      static_cast<double>(work.rows * work.tokens) / median, reached / 1e9, rate / 1e9,
      reached / rate, usage.ru_maxrss >> 10);
  std::printf("%.1f ms of the processor (least %.1f)\n", cost * 1e3, processor[0] * 1e3);
  OpTimes times;
  const double profiled = trainer.step().value().step_seconds + trainer.step().value().step_seconds;
  times.print(profiled);
  return 0;
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr,
                 "usage: %s gemma|qwen prefix_memory|lora ROWS TOKENS LABELS THREADS STEPS\n",
                 argv[0]);
    return 2;
  }
  at::set_num_threads(std::stoi(argv[6]));
  return prefixmem::trainer::run(
      argv[1], argv[2],
      {std::stol(argv[3]), std::stol(argv[4]), std::stol(argv[5]), std::stol(argv[7])});
}
