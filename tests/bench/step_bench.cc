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

// FLOP/s: by the clock, and of a second of the processor.
struct Rate {
  double by_clock = 0, by_processor = 0;
};

// Of product(a, b) = a bᵀ of square matrices, the best of several sizes.
template <class Product>
Rate matmul_rate(torch::ScalarType dtype, const Product& product) {
  Rate best;
  for (const int64_t n : {1024, 2048, 3072}) {
    const torch::Tensor a = torch::randn({n, n}).to(dtype);
    const torch::Tensor b = torch::randn({n, n}).to(dtype);
    const double flops = 2.0 * static_cast<double>(n * n * n);
    for (int i = 0; i < 12; ++i) {
      const Took took = time([&] { product(a, b); });
      best = {std::max(best.by_clock, flops / took.seconds),
              std::max(best.by_processor, flops / took.processor)};
    }
  }
  return best;
}

// The best that is known of this processor: of LibTorch's products in either dtype and our own.
Rate best_rate() {
  const auto theirs = [](const auto& a, const auto& b) { return at::mm(a, b.t()); };
  const auto own = [](const auto& a, const auto& b) { return linear(a, {{b, {}}})[0]; };
  Rate best;
  for (const auto& [whose, rate] : {std::pair{"LibTorch, fp32", matmul_rate(torch::kFloat, theirs)},
                                    {"LibTorch, bf16", matmul_rate(torch::kBFloat16, theirs)},
                                    {"own, bf16", matmul_rate(torch::kBFloat16, own)}}) {
    std::printf("square products, %s: %.0f GFLOP/s, %.0f a second of the processor\n", whose,
                rate.by_clock / 1e9, rate.by_processor / 1e9);
    best = {std::max(best.by_clock, rate.by_clock), std::max(best.by_processor, rate.by_processor)};
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
  const Rate rate = best_rate();
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
      static_cast<double>(work.rows * work.tokens) / median, reached / 1e9, rate.by_clock / 1e9,
      reached / rate.by_clock, usage.ru_maxrss >> 10);
  std::printf("%.1f ms of the processor (least %.1f): %.3f of its best rate (%.3f)\n", cost * 1e3,
              processor[0] * 1e3, flops / cost / rate.by_processor,
              flops / processor[0] / rate.by_processor);
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
