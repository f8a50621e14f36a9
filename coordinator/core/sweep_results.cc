#include "coordinator/core/sweep_results.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "common/spec/tree.h"
#include "coordinator/core/trials.h"
#include "coordinator/sweep/answer.h"
#include "coordinator/sweep/results.h"

namespace prefixmem {
namespace {

// What a trial has been given that stands apart from its setting in an answer.
constexpr std::array<const char*, 5> kApart = {"method", "benchmark", "eval.benchmark",
                                               "eval.split", "name"};

// "prefix_memory (feature_map: gelu)" of a block; methods that train together joined by "+".
std::string method_text(const std::string& yaml) {
  const auto tree = spec::parse_tree(yaml);
  if (!tree.ok() || tree->is_scalar()) return tree.ok() ? tree->scalar : yaml;
  if (tree->is_list()) {
    std::string all;
    for (const spec::Tree& one : tree->items) {
      all += (all.empty() ? "" : "+") + method_text(spec::print_flow(one));
    }
    return all;
  }
  std::string type;
  std::string keys;
  for (const spec::Tree::Entry& entry : tree->entries) {
    if (entry.key == "type") {
      type = entry.value.scalar;
    } else {
      keys += (keys.empty() ? "" : ", ") + entry.key + ": " + spec::print_flow(entry.value);
    }
  }
  return keys.empty() ? type : type + " (" + keys + ")";
}

std::string type_of(const v1::MethodSpec& method) {
  const auto* set = method.GetDescriptor()->oneof_decl(0);
  const auto* field = method.GetReflection()->GetOneofFieldDescriptor(method, set);
  return field == nullptr ? "" : field->name();
}

Setting without_apart(Setting setting) {
  for (const char* key : kApart) setting.erase(key);
  return sweep::without_seeds(std::move(setting));
}

// A job and what its spec says of it, which is read once.
struct Described {
  const v1::Job& job;
  Setting setting = {};
  std::string method = {};
  Setting rest = {};   // of the setting, without seeds and what stands apart in an answer
  Setting fixed = {};  // of the rest what the combination gives, where a search has chosen others
};

Described described(const v1::Job& job) {
  Described made{.job = job, .setting = sweep_settings(job.spec())};
  const auto given = made.setting.find("method");
  made.method =
      given == made.setting.end() ? type_of(job.spec().method()) : method_text(given->second);
  made.rest = without_apart(made.setting);
  made.fixed = made.rest;
  for (const auto& [path, value] : job.trial().setting()) made.fixed.erase(path);
  return made;
}

// Methods as rows: where a search has the same method in several combinations, with what sets them
// apart.
class RowNames {
 public:
  RowNames(const std::vector<Described>& jobs, bool search) : search_(search) {
    if (!search) return;
    for (const Described& one : jobs) variants_[one.method].insert(one.fixed);
  }

  std::string of(const Described& one) const {
    std::string name = one.method;
    if (!search_ || variants_.at(name).size() < 2) return name;
    for (const auto& [path, value] : one.fixed) name += ", " + path + " " + value;
    return name;
  }

 private:
  const bool search_;
  std::map<std::string, std::set<Setting>> variants_;
};

// Trials of a population's members that have gone on since: their scores are of models that were
// trained further. By what tells members apart, the newest that has finished.
class Newest {
 public:
  explicit Newest(const std::vector<v1::Job>& jobs) {
    for (const v1::Job& job : jobs) {
      if (job.state() != v1::JOB_STATE_SUCCEEDED) continue;
      int& newest = numbers_[of(job)];
      newest = std::max(newest, job.trial().number());
    }
  }

  bool has_gone_on(const v1::Job& job) const {
    if (job.trial().member() == 0) return false;
    const auto found = numbers_.find(of(job));
    return found != numbers_.end() && job.trial().number() < found->second;
  }

 private:
  static std::pair<int, int> of(const v1::Job& job) {
    return {job.trial().combination(), job.trial().member()};
  }
  std::map<std::pair<int, int>, int> numbers_;
};

sweep::Outcome outcome_of(const v1::Sweep& sweep, const Described& one, const RowNames& names) {
  const v1::Job& job = one.job;
  const GoalSpec goal = goal_of(sweep, job);
  const sweep::Run run = run_of(job, goal);
  const double seconds = job.progress().wall_seconds();
  const int shared_by = std::max(job.gang_jobs(), 1);
  const std::string& other = job.spec().eval().benchmark();
  sweep::Outcome outcome{.job_id = job.id(),
                         .goal = goal,
                         .method = names.of(one),
                         .trained_on = job.spec().benchmark(),
                         .tested_on = other.empty() ? job.spec().benchmark() : other,
                         .test = run.test,
                         .setting = one.setting,
                         .state = run.state,
                         .cost = {run.tokens, seconds, seconds * job.ranks() / shared_by}};
  outcome.choosing = sweep.spec().sweep().has_test() && job.spec().eval().split() == "validation";
  const bool search = !sweep.spec().sweep().space().empty();
  outcome.chosen = search ? run.setting : one.rest;
  if (!run.reports.empty()) outcome.score = run.reports.back().value;
  return outcome;
}

v1::SweepCost cost_of(const sweep::Cost& cost) {
  v1::SweepCost shown;
  shown.set_tokens(cost.tokens);
  shown.set_seconds(cost.seconds);
  shown.set_device_seconds(cost.device_seconds);
  return shown;
}

v1::SettingResult setting_result(const sweep::Group& group, const std::vector<v1::Job>& jobs) {
  v1::SettingResult shown;
  shown.mutable_setting()->insert(group.setting.begin(), group.setting.end());
  if (group.mean) shown.set_mean(*group.mean);
  if (group.sd) shown.set_sd(*group.sd);
  for (const size_t member : group.members) {
    add_to(*shown.mutable_trials(), jobs[member].state(), 1);
  }
  shown.set_best_job_id(group.best_job);
  *shown.mutable_cost() = cost_of(group.cost);
  shown.set_metric(group.goal.metric);
  return shown;
}

v1::BenchmarkScore score_of(const sweep::Cell& cell) {
  v1::BenchmarkScore shown;
  shown.set_metric(cell.goal.metric);
  if (cell.mean) shown.set_mean(*cell.mean);
  if (cell.sd) shown.set_sd(*cell.sd);
  shown.set_seeds(cell.seeds);
  shown.mutable_setting()->insert(cell.setting.begin(), cell.setting.end());
  if (cell.validation) shown.set_validation_mean(*cell.validation);
  shown.set_best_job_id(cell.best_job);
  *shown.mutable_cost() = cost_of(cell.cost);
  return shown;
}

v1::SuiteScore average_of(const sweep::Average& average) {
  v1::SuiteScore shown;
  shown.set_suite(average.suite);
  shown.set_tasks(average.tasks);
  if (average.mean) shown.set_mean(*average.mean);
  if (average.sd) shown.set_sd(*average.sd);
  return shown;
}

v1::PairedComparison comparison_of(const sweep::Comparison& comparison) {
  v1::PairedComparison shown;
  shown.set_pairs(comparison.pairs);
  shown.set_unequal_pairs(comparison.test.pairs);
  shown.set_mean_difference(comparison.mean_difference);
  shown.set_p_value(comparison.test.p_value);
  return shown;
}

v1::MethodResult method_result(const sweep::Row& row) {
  v1::MethodResult shown;
  shown.set_method(row.method);
  for (const sweep::Cell& cell : row.cells) *shown.add_benchmarks() = score_of(cell);
  for (const sweep::Average& one : row.averages) *shown.add_suites() = average_of(one);
  if (row.comparison) *shown.mutable_against_baseline() = comparison_of(*row.comparison);
  *shown.mutable_cost() = cost_of(row.cost);
  return shown;
}

v1::ParetoPoint point_of(const sweep::ParetoPoint& point) {
  v1::ParetoPoint shown;
  shown.set_method(point.method);
  shown.set_trained_on(point.trained_on);
  shown.mutable_setting()->insert(point.setting.begin(), point.setting.end());
  shown.set_in_distribution(point.inside);
  shown.set_out_of_distribution(point.outside);
  shown.set_on_front(point.on_front);
  return shown;
}

v1::SweepAnswer answer_of(const sweep::Answer& answer) {
  v1::SweepAnswer shown;
  for (const sweep::Benchmark& one : answer.benchmarks) {
    v1::SweepBenchmark& benchmark = *shown.add_benchmarks();
    benchmark.set_trained_on(one.trained_on);
    benchmark.set_tested_on(one.tested_on);
    benchmark.set_suite(one.suite);
  }
  shown.set_baseline(answer.baseline);
  shown.set_tested(answer.tested);
  for (const sweep::Row& row : answer.rows) *shown.add_methods() = method_result(row);
  for (const sweep::ParetoPoint& one : answer.pareto) *shown.add_pareto() = point_of(one);
  return shown;
}

}  // namespace

v1::SweepResults results_of(v1::Sweep sweep, const std::vector<v1::Job>& jobs,
                            const std::string& baseline) {
  std::vector<Described> all;
  for (const v1::Job& job : jobs) all.push_back(described(job));
  const RowNames names(all, !sweep.spec().sweep().space().empty());
  std::vector<sweep::Outcome> outcomes;
  const Newest newest(jobs);
  for (const Described& one : all) {
    outcomes.push_back(outcome_of(sweep, one, names));
    if (newest.has_gone_on(one.job)) outcomes.back().score.reset();
  }
  const auto groups = sweep::group_by_setting(outcomes);
  v1::SweepResults results;
  *results.mutable_sweep() = std::move(sweep);
  for (const sweep::Group& group : groups) {
    *results.add_settings() = setting_result(group, jobs);
  }
  *results.mutable_cost() = cost_of(total(groups));
  *results.mutable_answer() = answer_of(sweep::answer(outcomes, baseline));
  return results;
}

}  // namespace prefixmem
