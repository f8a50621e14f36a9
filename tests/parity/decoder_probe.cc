// decoder_probe: answers each line of its input, a JSON object, with tensors in a file that it
// names, and then a line of its output; a question that has no answer ends it.
//   {"model": DIR, "out": FILE,
//    "rows": [{"ids": [id, …], "prompt": n}, …],   one ragged batch, in fp32
//    "adapter": DIR,       optional: takes part in all that follows
//    "full": true,         instead: every weight is trained
//    "logits": first,      optional: logits.{row} [tokens - first, vocabulary], from there on
//    "gradient": true,     optional: loss [] as a step has it, gradient.{parameter}
//    "objective": {"type": "dpo", …},  optional: of that loss; rows are chosen, rejected, chosen, …
//    "greedy": n}          optional: greedy.{row} [n], ids that continue it through the cache
#include <torch/utils.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "worker/trainer/adapters/stored_method.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/safetensors.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/score.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using Tensors = std::vector<NamedTensor>;

struct Probe {
  std::unique_ptr<Decoder> model;
  std::unique_ptr<Adapter> adapter;  // may be null
  std::vector<Example> rows;
};

Status load_adapter(const std::filesystem::path& folder, Probe& probe) {
  PM_ASSIGN(const MethodSpec method, stored_method(folder));
  PM_ASSIGN(probe.adapter, load_stored_adapter(folder, method, *probe.model));
  return {};
}

Result<Probe> load(const std::filesystem::path& model, const json& question) {
  Probe probe;
  PM_ASSIGN(probe.model, Decoder::load(model, {.dtype = torch::kFloat32}));
  if (question.contains("adapter")) {
    PM_TRY(load_adapter(question["adapter"].get<std::string>(), probe));
  }
  if (question.value("full", false)) {
    const AdapterContext context{.model = probe.model->config(), .decoder = probe.model.get()};
    PM_ASSIGN(probe.adapter, make_adapter(FullMethod(), context));
  }
  for (const json& row : question.at("rows")) {
    Example& example = probe.rows.emplace_back();
    row.at("ids").get_to(example.ids);
    example.prompt_tokens = row.value("prompt", int64_t{0});
  }
  return probe;
}

void add_logits(const Probe& probe, int64_t first, Tensors& answer) {
  const torch::NoGradGuard no_grad;
  RaggedBuilder builder;
  std::vector<int64_t> sources, counts;
  for (const Example& row : probe.rows) {
    const int64_t begin = builder.token_count(), size = static_cast<int64_t>(row.ids.size());
    builder.add(row.ids);
    for (int64_t i = first; i < size; ++i) sources.push_back(begin + i);
    counts.push_back(std::max<int64_t>(0, size - first));
  }
  const torch::Tensor hidden =
      probe.model->hidden(std::move(builder).build(), probe.adapter.get(), torch::tensor(sources));
  const auto parts = probe.model->logits(hidden).split_with_sizes(counts);
  for (size_t i = 0; i < parts.size(); ++i) {
    answer.push_back({"logits." + std::to_string(i), parts[i].contiguous()});
  }
}

ObjectiveSpec objective_of(const json& question) {
  const json wanted = question.value("objective", json{{"type", "sft"}});
  if (wanted["type"] == "simpo") return SimpoObjective{wanted["beta"], wanted["gamma"]};
  if (wanted["type"] == "sft") return SftObjective();
  DpoObjective dpo;
  dpo.beta = wanted["beta"];
  dpo.label_smoothing = wanted.value("label_smoothing", 0.0);
  if (wanted.value("loss", "sigmoid") == "ipo") dpo.loss = DpoObjective::Loss::kIpo;
  return dpo;
}

// Mean loss of the rows, differentiable.
torch::Tensor loss_of(const Probe& probe, const ObjectiveSpec& spec) {
  std::vector<int64_t> all(probe.rows.size());
  std::iota(all.begin(), all.end(), 0);
  const auto objective = make_objective(spec);
  const auto reference = objective->has_reference() ? adapter_off(*probe.model) : nullptr;
  const ScoredBatch batch(all, probe.rows, torch::kCPU);
  const ExampleScores scores = batch.score(*probe.model, probe.adapter.get(), reference.get());
  return objective->loss_sum(scores) /
         static_cast<double>(objective->units(batch.examples(), batch.label_tokens()));
}

void add_gradient(const Probe& probe, const ObjectiveSpec& objective, Tensors& answer) {
  const torch::Tensor loss = loss_of(probe, objective);
  loss.backward();
  answer.push_back({"loss", loss.detach()});
  for (const Parameter& parameter : probe.adapter->parameters()) {
    const torch::Tensor& gradient = parameter.value.grad();
    answer.push_back({"gradient." + parameter.name, gradient.defined()
                                                        ? gradient.contiguous()
                                                        : torch::zeros_like(parameter.value)});
  }
}

void add_greedy(const Probe& probe, int64_t count, Tensors& answer) {
  for (size_t i = 0; i < probe.rows.size(); ++i) {
    const auto cache = probe.model->new_cache();
    std::vector<int32_t> next = probe.rows[i].ids;
    std::vector<int64_t> ids;
    while (static_cast<int64_t>(ids.size()) < count) {
      const torch::Tensor hidden = probe.model->extend(*cache, next, probe.adapter.get());
      ids.push_back(probe.model->logits(hidden).argmax(-1).item<int64_t>());
      next = {static_cast<int32_t>(ids.back())};
    }
    answer.push_back({"greedy." + std::to_string(i), torch::tensor(ids)});
  }
}

Status answer_to(const json& question) {
  PM_ASSIGN(const Probe probe, load(question.at("model").get<std::string>(), question));
  Tensors answer;
  if (question.contains("logits")) add_logits(probe, question["logits"], answer);
  if (question.value("gradient", false)) add_gradient(probe, objective_of(question), answer);
  if (question.contains("greedy")) add_greedy(probe, question["greedy"], answer);
  return write_safetensors(question.at("out").get<std::string>(), answer, {});
}

Status answer_all() {
  for (std::string line; std::getline(std::cin, line);) {
    PM_TRY(answer_to(json::parse(line)));
    std::cout << "answered" << std::endl;
  }
  return {};
}

}  // namespace
}  // namespace prefixmem::trainer

int main() {
  const prefixmem::Status status = prefixmem::trainer::answer_all();
  if (!status.ok()) std::cerr << status.to_string() << "\n";
  return exit_code(status);
}
