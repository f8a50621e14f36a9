#include "coordinator/sweep/record.h"

#include <algorithm>
#include <map>

#include "coordinator/sweep/results.h"

namespace prefixmem::sweep {
namespace {

std::optional<double> score(const Run& run) {
  if (run.state != TrialState::kFinished || run.reports.empty()) return std::nullopt;
  return run.reports.back().value;
}

// None where a combination has no finished job.
std::optional<double> mean_score(const Search& search, const std::vector<const Run*>& runs) {
  std::map<size_t, std::vector<double>> by_combination;
  for (const Place& place : search.tried) by_combination[place.combination];
  for (const Run* run : runs) {
    if (const auto its = score(*run)) by_combination[run->place.combination].push_back(*its);
  }
  std::vector<double> means;
  for (const auto& [combination, scores] : by_combination) {
    const auto mean = spread(scores).mean;
    if (!mean) return std::nullopt;
    means.push_back(*mean);
  }
  return spread(means).mean;
}

bool has_ended(const Search& search, const std::vector<const Run*>& runs) {
  const bool ended = std::all_of(runs.begin(), runs.end(),
                                 [](const Run* run) { return run->state != TrialState::kOpen; });
  const bool dropped = search.plan.stops_early() && runs.front()->state != TrialState::kFinished;
  return ended && (dropped || runs.size() == search.tried.size());
}

// What the jobs of a setting, of which there is one at least, come to.
Trial trial_of(const Search& search, const std::vector<const Run*>& runs) {
  const Run& first = *runs.front();
  Trial trial{.number = first.candidate,
              .setting = first.setting,
              .state = first.state,
              .reports = first.reports,
              .rungs = first.rungs};
  if (!has_ended(search, runs)) {
    trial.state = TrialState::kOpen;
    return trial;
  }
  if (const auto score = mean_score(search, runs)) {
    trial.state = TrialState::kFinished;
    if (trial.reports.empty()) trial.reports.push_back({});
    trial.reports.back().value = *score;
    return trial;
  }
  const bool stopped = std::any_of(
      runs.begin(), runs.end(), [](const Run* run) { return run->state == TrialState::kStopped; });
  trial.state = stopped ? TrialState::kStopped : TrialState::kFailed;
  return trial;
}

const std::vector<size_t> kNone;
const History kNoHistory;

}  // namespace

void Record::put(const SweepPlan& plan, Run run) {
  const auto index = static_cast<size_t>(run.number - 1);
  const bool is_new = index == runs_.size();
  if (is_new) runs_.emplace_back();
  runs_.at(index) = std::move(run);
  if (plan.searches.empty()) return;
  const Run& put = runs_[index];
  const size_t search = plan.search_of.at(put.place.combination);
  if (searched_.size() <= search) searched_.resize(plan.searches.size());
  Searched& searched = searched_[search];
  if (put.test) {
    if (is_new) searched.tests.push_back(index);
    return;
  }
  const auto candidate = static_cast<size_t>(put.candidate);
  if (searched.tries.size() < candidate) searched.tries.resize(candidate);
  if (is_new) searched.tries[candidate - 1].push_back(index);
  summarize(plan, search, put.candidate);
}

void Record::count_tokens(int number, int64_t tokens) {
  runs_.at(static_cast<size_t>(number - 1)).tokens = tokens;
}

void Record::summarize(const SweepPlan& plan, size_t search, int candidate) {
  Searched& searched = searched_[search];
  const auto index = static_cast<size_t>(candidate - 1);
  std::vector<const Run*> runs;
  for (const size_t run : searched.tries[index]) runs.push_back(&runs_[run]);
  auto& trials = searched.history.trials;
  if (trials.size() <= index) trials.resize(index + 1);
  trials[index] = trial_of(plan.searches[search], runs);
}

const History& Record::history(size_t search) const {
  return search < searched_.size() ? searched_[search].history : kNoHistory;
}

const std::vector<size_t>& Record::tries(size_t search, int number) const {
  return searched_.at(search).tries.at(static_cast<size_t>(number - 1));
}

const std::vector<size_t>& Record::tests(size_t search) const {
  return search < searched_.size() ? searched_[search].tests : kNone;
}

std::optional<int> best_candidate(const Plan& plan, const History& history) {
  std::optional<int> best;
  double least = 0;
  for (const Trial& trial : history.trials) {
    const auto its = score(trial);
    if (trial.state != TrialState::kFinished || !its) continue;
    const double its_loss = loss(plan.goal, *its);
    if (best && its_loss >= least) continue;
    best = trial.number;
    least = its_loss;
  }
  return best;
}

}  // namespace prefixmem::sweep
