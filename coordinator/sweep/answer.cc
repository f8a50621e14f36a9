#include "coordinator/sweep/answer.h"

#include <algorithm>
#include <set>

#include "coordinator/sweep/pareto.h"
#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {
namespace {

std::string suite_of(const Outcome& outcome) {
  const size_t slash = outcome.tested_on.find('/');
  return slash == std::string::npos ? "" : outcome.tested_on.substr(0, slash);
}

Benchmark benchmark_of(const Outcome& outcome) {
  return {outcome.trained_on, outcome.tested_on, suite_of(outcome)};
}

template <class T>
size_t index_of(const T& value, std::vector<T>& known) {
  const auto found = std::find(known.begin(), known.end(), value);
  const auto index = static_cast<size_t>(found - known.begin());
  if (found == known.end()) known.push_back(value);
  return index;
}

using Outcomes = std::vector<Outcome>;

Outcomes picked(const Outcomes& outcomes, bool test) {
  Outcomes some;
  std::copy_if(outcomes.begin(), outcomes.end(), std::back_inserter(some),
               [&](const Outcome& one) { return one.test == test; });
  return some;
}

// The mean that the setting has among the trials of the search.
std::optional<double> mean_of(const Setting& setting, const Outcomes& searched) {
  for (const Group& group : group_by_setting(searched)) {
    if (searched[group.members.front()].chosen == setting) return group.mean;
  }
  return std::nullopt;
}

Cell cell_of(const Outcomes& outcomes) {
  Cell cell;
  for (const Outcome& one : outcomes) add(one.cost, cell.cost);
  const Outcomes tests = picked(outcomes, true);
  const Outcomes& shown = tests.empty() ? outcomes : tests;
  const auto groups = group_by_setting(shown);
  if (groups.empty()) return cell;
  const Group& best = groups.front();
  cell.goal = best.goal;
  cell.best_job = best.best_job;
  cell.setting = shown[best.members.front()].chosen;
  if (shown[best.members.front()].choosing) {
    cell.validation = best.mean;
    return cell;
  }
  cell.mean = best.mean;
  cell.sd = best.sd;
  for (const size_t member : best.members) {
    const Outcome& one = shown[member];
    if (one.counts()) cell.scores[seeds_in(one.setting)] = *one.score;
  }
  cell.seeds = static_cast<int>(cell.scores.size());
  if (!tests.empty()) cell.validation = mean_of(cell.setting, picked(outcomes, false));
  return cell;
}

std::optional<double> score_with(const Cell& cell, const Setting& seeds) {
  if (cell.scores.size() == 1) return cell.scores.begin()->second;
  const auto found = cell.scores.find(seeds);
  if (found == cell.scores.end()) return std::nullopt;
  return found->second;
}

std::set<Setting> seeds_of(const std::vector<const Cell*>& cells) {
  std::set<Setting> seeds;
  for (const Cell* cell : cells) {
    for (const auto& [one, score] : cell->scores) seeds.insert(one);
  }
  return seeds;
}

// Of the cells of a suite's tasks.
Average average_of(const std::string& suite, const std::vector<const Cell*>& cells) {
  Average average{.suite = suite, .tasks = static_cast<int>(cells.size())};
  const bool comparable = std::all_of(cells.begin(), cells.end(), [&](const Cell* cell) {
    return cell->mean && cell->goal.mode == cells.front()->goal.mode;
  });
  if (!comparable) return average;
  std::vector<double> means;
  for (const Cell* cell : cells) means.push_back(*cell->mean);
  average.mean = spread(means).mean;
  std::vector<double> by_seed;
  for (const Setting& seeds : seeds_of(cells)) {
    std::vector<double> scores;
    for (const Cell* cell : cells) {
      if (const auto score = score_with(*cell, seeds)) scores.push_back(*score);
    }
    if (scores.size() == cells.size()) by_seed.push_back(*spread(scores).mean);
  }
  average.sd = spread(by_seed).sd;
  return average;
}

std::vector<double> differences(const Row& row, const Row& baseline) {
  std::vector<double> all;
  for (size_t i = 0; i < row.cells.size(); ++i) {
    const Cell& mine = row.cells[i];
    const Cell& theirs = baseline.cells[i];
    const auto seeds = mine.scores.size() == 1 && theirs.scores.size() > 1 ? seeds_of({&theirs})
                                                                           : seeds_of({&mine});
    for (const Setting& one : seeds) {
      const auto a = score_with(mine, one);
      const auto b = score_with(theirs, one);
      if (a && b) all.push_back(loss(theirs.goal, *b) - loss(mine.goal, *a));
    }
  }
  return all;
}

std::optional<Comparison> compare(const Row& row, const Row& baseline) {
  const auto all = differences(row, baseline);
  if (all.empty()) return std::nullopt;
  return Comparison{.test = signed_rank_test(all),
                    .pairs = static_cast<int>(all.size()),
                    .mean_difference = *spread(all).mean};
}

}  // namespace

Answer answer(const std::vector<Outcome>& outcomes, const std::string& baseline) {
  Answer found;
  std::vector<std::string> methods;
  std::map<std::pair<size_t, size_t>, Outcomes> cells;
  for (const Outcome& one : outcomes) {
    const size_t row = index_of(one.method, methods);
    cells[{row, index_of(benchmark_of(one), found.benchmarks)}].push_back(one);
    found.tested = found.tested || one.test || one.choosing;
  }
  std::map<std::string, std::vector<size_t>> suites;
  for (size_t i = 0; i < found.benchmarks.size(); ++i) {
    const Benchmark& one = found.benchmarks[i];
    if (!one.suite.empty() && one.trained_on == one.tested_on) suites[one.suite].push_back(i);
  }
  std::erase_if(suites, [](const auto& suite) { return suite.second.size() < 2; });
  for (size_t row = 0; row < methods.size(); ++row) {
    Row& made = found.rows.emplace_back(Row{.method = methods[row]});
    for (size_t column = 0; column < found.benchmarks.size(); ++column) {
      made.cells.push_back(cell_of(cells[{row, column}]));
      add(made.cells.back().cost, made.cost);
    }
    for (const auto& [suite, tasks] : suites) {
      std::vector<const Cell*> its;
      for (const size_t task : tasks) its.push_back(&made.cells[task]);
      made.averages.push_back(average_of(suite, its));
    }
  }
  if (found.rows.empty()) return found;
  auto base = std::find(methods.begin(), methods.end(), baseline);
  if (base == methods.end()) base = methods.begin();
  found.baseline = *base;
  const Row& base_row = found.rows[static_cast<size_t>(base - methods.begin())];
  for (Row& row : found.rows) {
    if (&row != &base_row) row.comparison = compare(row, base_row);
  }
  found.pareto = pareto_points(found.tested ? picked(outcomes, true) : outcomes);
  return found;
}

}  // namespace prefixmem::sweep
