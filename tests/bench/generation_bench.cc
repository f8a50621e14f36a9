// What an adapter costs where a model is served: greedy generation on a real model, each method in
// turn beside the base.
//
//   generation_bench MODEL CONTEXTS BATCHES TOKENS ROUNDS THREADS
//
// CONTEXTS and BATCHES are lists with commas. For each pair of them, BATCH rows of CONTEXT random
// tokens are read (the first token's time) and TOKENS more generated together; every round does so
// for every method. A line of JSON each: {method, context, batch, first_seconds, token_seconds,
// cache_bytes, adapter_bytes}, times being medians over the rounds, and over the tokens.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/op_times.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/model/row_cache.h"
#include "worker/trainer/model/transformer.h"

namespace prefixmem::trainer {
namespace {

using Rows = std::vector<std::vector<int32_t>>;

struct Work {
  int64_t context, batch, tokens;
};

struct Contestant {
  std::string name;
  std::unique_ptr<Adapter> adapter;  // null: the base
};

// Beside the base the methods with their defaults; what they have learned does not change the cost.
std::vector<Contestant> contestants(Decoder& model) {
  const std::vector<std::pair<std::string, MethodSpec>> methods = {
      {"none", NoMethod()},
      {"lora", LoraMethod()},
      {"prefix_memory", PrefixMemoryMethod()},
      {"prefix_tuning", PrefixTuningMethod()}};
  std::vector<Contestant> all;
  for (const auto& [name, method] : methods) {
    all.push_back(
        {name, make_adapter(method, {.model = model.config(), .decoder = &model}).value()});
  }
  return all;
}

Rows random_rows(const Work& work, int64_t vocab) {
  Rows rows(work.batch);
  for (auto& row : rows) {
    const torch::Tensor ids = at::randint(vocab, {work.context}, at::kInt);
    row.assign(ids.const_data_ptr<int32_t>(), ids.const_data_ptr<int32_t>() + ids.numel());
  }
  return rows;
}

int64_t bytes_of(const RowCache& cache) {
  int64_t bytes = 0;
  for (size_t i = 0; i < cache.layers.size(); ++i) {
    const auto layer = static_cast<int64_t>(i);
    bytes += static_cast<int64_t>(cache.keys(layer, cache.length).nbytes() +
                                  cache.values(layer, cache.length).nbytes());
  }
  return bytes;
}

struct Run {
  double first_seconds = 0;
  std::vector<double> token_seconds;
  int64_t cache_bytes = 0;
};

Run generate(Decoder& model, Adapter* adapter, const Rows& rows, int64_t tokens) {
  std::vector<std::shared_ptr<RowCache>> caches;
  std::vector<RowCache*> pointers;
  for (size_t i = 0; i < rows.size(); ++i) {
    caches.push_back(model.new_cache());
    pointers.push_back(caches.back().get());
  }
  Rows unread = rows;
  const auto next = [&] {
    const torch::Tensor best =
        model.logits(model.extend_rows(pointers, unread, adapter)).argmax(-1).to(at::kInt);
    for (size_t i = 0; i < unread.size(); ++i) unread[i] = {best.const_data_ptr<int32_t>()[i]};
  };
  Run run;
  run.first_seconds = seconds_of(next);
  for (int64_t i = 0; i < tokens; ++i) run.token_seconds.push_back(seconds_of(next));
  for (const RowCache* cache : pointers) run.cache_bytes += bytes_of(*cache);
  return run;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(Decoder& model, const std::vector<Contestant>& all, const Work& work, int64_t rounds) {
  const Rows rows = random_rows(work, model.config().vocab_size);
  std::vector<Run> sums(all.size());
  std::vector<std::vector<double>> first(all.size());
  for (int64_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < all.size(); ++i) {
      const Run run = generate(model, all[i].adapter.get(), rows, work.tokens);
      first[i].push_back(run.first_seconds);
      auto& seconds = sums[i].token_seconds;
      seconds.insert(seconds.end(), run.token_seconds.begin(), run.token_seconds.end());
      sums[i].cache_bytes = run.cache_bytes;
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    int64_t adapter_bytes = 0;
    if (all[i].adapter) {
      for (const Parameter& parameter : all[i].adapter->parameters()) {
        adapter_bytes += static_cast<int64_t>(parameter.value.nbytes());
      }
    }
    const nlohmann::ordered_json line = {{"method", all[i].name},
                                         {"context", work.context},
                                         {"batch", work.batch},
                                         {"first_seconds", median(first[i])},
                                         {"token_seconds", median(sums[i].token_seconds)},
                                         {"cache_bytes", sums[i].cache_bytes},
                                         {"adapter_bytes", adapter_bytes}};
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
}

std::vector<int64_t> numbers(const std::string& list) {
  std::vector<int64_t> found;
  std::istringstream text(list);
  for (std::string one; std::getline(text, one, ',');) found.push_back(std::stol(one));
  return found;
}

int run(char** argv) {
  at::manual_seed(1);
  at::set_num_threads(std::stoi(argv[6]));
  const auto model = Decoder::load(argv[1], {});
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.status().message().c_str());
    return 1;
  }
  const auto all = contestants(**model);
  for (const int64_t context : numbers(argv[2])) {
    for (const int64_t batch : numbers(argv[3])) {
      compare(**model, all, {context, batch, std::stol(argv[4])}, std::stol(argv[5]));
    }
  }
  return 0;
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s MODEL CONTEXTS BATCHES TOKENS ROUNDS THREADS\n", argv[0]);
    return 2;
  }
  return prefixmem::trainer::run(argv);
}
