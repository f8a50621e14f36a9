#include "worker/trainer/train/joint_step.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

namespace prefixmem::trainer {
namespace {

// A trainer's micro-batch of a round.
struct Part {
  Trainer* trainer;
  ScoredBatch batch;
};

// Parts that are computed in one pass.
struct Group {
  bool alone = false;
  int64_t tokens = 0;
  std::vector<Part> parts;
};

int64_t largest_micro_batch(const std::vector<Trainer*>& trainers) {
  int64_t tokens = 0;
  for (const Trainer* trainer : trainers) {
    tokens = std::max(tokens, trainer->spec().micro_batch_tokens);
  }
  return tokens;
}

// Each part goes to the first group with room.
std::vector<Group> groups_of(const std::vector<Trainer*>& trainers, size_t round) {
  const int64_t limit = largest_micro_batch(trainers);
  std::vector<Group> groups;
  for (Trainer* trainer : trainers) {
    auto batch = trainer->micro_batch(round);
    if (!batch) continue;
    const bool alone = trainer->spec().deterministic;
    const int64_t tokens = batch->tokens();
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& some) {
      return !alone && !some.alone && some.tokens + tokens <= limit;
    });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{alone, 0, {}});
    group->tokens += tokens;
    group->parts.push_back({trainer, std::move(*batch)});
  }
  return groups;
}

void forward_backward(Decoder& model, const std::vector<Part>& parts) {
  std::vector<ScoreCall> calls;
  for (const Part& part : parts) calls.push_back(part.trainer->call(part.batch));
  const auto scores = score_together(model, calls);
  std::vector<torch::Tensor> sums, losses;
  for (size_t i = 0; i < parts.size(); ++i) {
    sums.push_back(parts[i].trainer->objective().loss_sum(scores[i]));
    losses.push_back(sums.back() * parts[i].trainer->loss_scale());
  }
  torch::autograd::backward(losses);
  for (size_t i = 0; i < parts.size(); ++i) parts[i].trainer->add_loss(sums[i].item<double>());
}

size_t most_rounds(const std::vector<Trainer*>& trainers) {
  size_t rounds = 0;
  for (const Trainer* trainer : trainers) rounds = std::max(rounds, trainer->rounds());
  return rounds;
}

}  // namespace

Result<std::vector<Result<StepEvent>>> step_together(Decoder& model,
                                                     const std::vector<Trainer*>& trainers) {
  for (Trainer* trainer : trainers) trainer->begin_step();
  const size_t rounds = most_rounds(trainers);
  for (size_t round = 0; round < rounds; ++round) {
    for (const Group& group : groups_of(trainers, round)) forward_backward(model, group.parts);
    for (Trainer* trainer : trainers) {
      if (round < trainer->rounds()) PM_TRY(trainer->after_round());
    }
  }
  for (Trainer* trainer : trainers) PM_TRY(trainer->sum_over_ranks());
  std::vector<Result<StepEvent>> made;
  for (Trainer* trainer : trainers) made.push_back(trainer->finish_step());
  return made;
}

}  // namespace prefixmem::trainer
