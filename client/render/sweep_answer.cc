#include "client/render/sweep_answer.h"

#include <set>
#include <vector>

#include "client/render/csv.h"
#include "client/render/numbers.h"
#include "client/render/setting.h"
#include "client/render/sweep_results.h"
#include "common/spec/limit.h"

namespace prefixmem::client {
namespace {

constexpr const char* kNotTested =
    "each setting was chosen by the very scores that are shown, which makes them look better than "
    "they are; sweep.test scores it on rows of its own";

std::string name_of(const v1::SweepBenchmark& benchmark) {
  if (benchmark.trained_on().empty()) return benchmark.tested_on();
  if (benchmark.trained_on() == benchmark.tested_on()) return benchmark.tested_on();
  return benchmark.trained_on() + " → " + benchmark.tested_on();
}

// The first metric of a column; a column without a benchmark is called by it.
std::string metric_of(const v1::SweepAnswer& answer, int column) {
  for (const v1::MethodResult& row : answer.methods()) {
    const std::string& metric = row.benchmarks(column).metric();
    if (!metric.empty()) return metric;
  }
  return "";
}

template <class Score>
std::string spread_text(const std::string& metric, const Score& one) {
  if (!one.has_mean()) return "";
  std::string text = score(metric, one.mean());
  if (one.has_sd()) text += " ± " + score(metric, one.sd());
  return text;
}

// Averages are over metrics of one kind; the first task's says how to write them.
std::string suite_metric(const v1::SweepAnswer& answer, const std::string& suite) {
  for (int i = 0; i < answer.benchmarks_size(); ++i) {
    if (answer.benchmarks(i).suite() == suite) return metric_of(answer, i);
  }
  return "";
}

std::set<std::string> paths_of(const v1::SweepAnswer& answer) {
  std::set<std::string> paths;
  for (const v1::MethodResult& row : answer.methods()) {
    for (const v1::BenchmarkScore& one : row.benchmarks()) add_paths(one.setting(), paths);
  }
  return paths;
}

std::string p_text(const v1::PairedComparison& one) {
  return figures(one.p_value()) + " (" + std::to_string(one.pairs()) + " pairs)";
}

std::string difference_text(const v1::SweepAnswer& answer, const v1::PairedComparison& one) {
  const std::string metric = answer.benchmarks_size() > 0 ? metric_of(answer, 0) : "";
  const std::string text = score(metric, one.mean_difference());
  return one.mean_difference() > 0 ? "+" + text : text;
}

}  // namespace

bool has_answer(const v1::SweepResults& results) {
  return results.answer().tested() || results.answer().benchmarks_size() > 1;
}

Table answer_table(const v1::SweepAnswer& answer) {
  std::vector<Column> columns = {{"method"}};
  for (int i = 0; i < answer.benchmarks_size(); ++i) {
    const std::string name = name_of(answer.benchmarks(i));
    columns.push_back({name.empty() ? metric_of(answer, i) : name, Align::kRight});
  }
  if (answer.methods_size() > 0) {
    for (const v1::SuiteScore& suite : answer.methods(0).suites()) {
      const std::string tasks = std::to_string(suite.tasks());
      columns.push_back({suite.suite() + " (" + tasks + " tasks)", Align::kRight});
    }
  }
  columns.push_back({"vs " + answer.baseline(), Align::kRight});
  columns.push_back({"p", Align::kRight});
  columns.push_back({"tokens", Align::kRight});
  columns.push_back({"time", Align::kRight});
  columns.push_back({"device time", Align::kRight});
  Table table(std::move(columns));
  for (const v1::MethodResult& row : answer.methods()) {
    std::vector<std::string> cells = {row.method()};
    for (const v1::BenchmarkScore& one : row.benchmarks()) {
      cells.push_back(spread_text(one.metric(), one));
    }
    for (const v1::SuiteScore& suite : row.suites()) {
      cells.push_back(spread_text(suite_metric(answer, suite.suite()), suite));
    }
    const bool compared = row.has_against_baseline();
    cells.push_back(compared ? difference_text(answer, row.against_baseline()) : "");
    cells.push_back(compared ? p_text(row.against_baseline()) : "");
    cells.push_back(short_count(static_cast<double>(row.cost().tokens())));
    cells.push_back(short_seconds(row.cost().seconds()));
    cells.push_back(short_seconds(row.cost().device_seconds()));
    table.add(std::move(cells));
  }
  return table;
}

Table best_setting_table(const v1::SweepAnswer& answer) {
  const auto paths = paths_of(answer);
  std::vector<Column> columns = {{"method"}, {"benchmark"}, {"metric"}};
  for (const std::string& path : paths) columns.push_back({path});
  if (answer.tested()) columns.push_back({"validation", Align::kRight});
  columns.push_back({answer.tested() ? "test" : "mean", Align::kRight});
  columns.push_back({"seeds", Align::kRight});
  columns.push_back({"best job"});
  Table table(std::move(columns));
  for (const v1::MethodResult& row : answer.methods()) {
    for (int i = 0; i < row.benchmarks_size(); ++i) {
      const v1::BenchmarkScore& one = row.benchmarks(i);
      std::vector<std::string> cells = {row.method(), name_of(answer.benchmarks(i)), one.metric()};
      for (const std::string& path : paths) cells.push_back(value_at(one.setting(), path));
      if (answer.tested()) {
        cells.push_back(one.has_validation_mean() ? score(one.metric(), one.validation_mean())
                                                  : "");
      }
      cells.push_back(spread_text(one.metric(), one));
      cells.push_back(std::to_string(one.seeds()));
      cells.push_back(one.best_job_id());
      table.add(std::move(cells));
    }
  }
  return table;
}

Table pareto_table(const v1::SweepAnswer& answer) {
  Table table({{"method"},
               {"trained on"},
               {"setting"},
               {"in distribution", Align::kRight},
               {"out of distribution", Align::kRight},
               {"on the front"}});
  const std::string metric = answer.benchmarks_size() > 0 ? metric_of(answer, 0) : "";
  for (const v1::ParetoPoint& point : answer.pareto()) {
    table.add({point.method(), point.trained_on(), setting_text(point.setting()),
               score(metric, point.in_distribution()), score(metric, point.out_of_distribution()),
               point.on_front() ? "yes" : "no"});
  }
  return table;
}

std::string answer_text(const v1::SweepResults& results) {
  const v1::SweepAnswer& answer = results.answer();
  std::string text = answer_table(answer).text() + "\n" + best_setting_table(answer).text() + "\n";
  if (answer.pareto_size() > 0) text += pareto_table(answer).text() + "\n";
  const bool chosen = !answer.tested() && !paths_of(answer).empty();
  return text + fields({{"note", chosen ? kNotTested : ""}}) + cost_summary(results);
}

std::string answer_markdown(const v1::SweepResults& results) {
  const v1::SweepAnswer& answer = results.answer();
  std::string text = answer_table(answer).markdown() + "\n" + best_setting_table(answer).markdown();
  if (answer.pareto_size() > 0) text += "\n" + pareto_table(answer).markdown();
  return text;
}

std::string answer_csv(const v1::SweepAnswer& answer) {
  constexpr size_t kColumnsBeforeSettings = 8, kFrontColumns = 3;
  auto paths = paths_of(answer);
  for (const v1::ParetoPoint& point : answer.pareto()) add_paths(point.setting(), paths);
  std::vector<std::string> titles = {"method", "trained_on", "tested_on", "metric",
                                     "mean",   "sd",         "seeds",     "validation_mean"};
  titles.insert(titles.end(), paths.begin(), paths.end());
  for (const char* title :
       {"tokens", "seconds", "device_seconds", "best_job_id", "baseline", "pairs",
        "mean_difference", "p_value", "in_distribution", "out_of_distribution", "on_front"}) {
    titles.emplace_back(title);
  }
  std::string text = csv_line(titles);
  for (const v1::MethodResult& row : answer.methods()) {
    for (int i = 0; i < row.benchmarks_size(); ++i) {
      const v1::BenchmarkScore& one = row.benchmarks(i);
      const v1::SweepBenchmark& benchmark = answer.benchmarks(i);
      std::vector<std::string> cells = {
          row.method(),
          benchmark.trained_on(),
          benchmark.tested_on(),
          one.metric(),
          csv_number(one.has_mean(), one.mean()),
          csv_number(one.has_sd(), one.sd()),
          std::to_string(one.seeds()),
          csv_number(one.has_validation_mean(), one.validation_mean())};
      for (const std::string& path : paths) cells.push_back(value_at(one.setting(), path));
      cells.push_back(std::to_string(one.cost().tokens()));
      cells.push_back(spec::number_text(one.cost().seconds()));
      cells.push_back(spec::number_text(one.cost().device_seconds()));
      cells.push_back(one.best_job_id());
      cells.resize(titles.size());
      text += csv_line(cells);
    }
    for (const v1::SuiteScore& suite : row.suites()) {
      std::vector<std::string> cells = {row.method(),
                                        suite.suite(),
                                        suite.suite(),
                                        "mean of " + std::to_string(suite.tasks()) + " tasks",
                                        csv_number(suite.has_mean(), suite.mean()),
                                        csv_number(suite.has_sd(), suite.sd())};
      cells.resize(titles.size());
      text += csv_line(cells);
    }
    if (!row.has_against_baseline()) continue;
    const v1::PairedComparison& against = row.against_baseline();
    std::vector<std::string> cells = {row.method(), "all", "all"};
    cells.resize(titles.size() - kFrontColumns - 4);
    cells.push_back(answer.baseline());
    cells.push_back(std::to_string(against.pairs()));
    cells.push_back(spec::number_text(against.mean_difference()));
    cells.push_back(spec::number_text(against.p_value()));
    cells.resize(titles.size());
    text += csv_line(cells);
  }
  for (const v1::ParetoPoint& point : answer.pareto()) {
    std::vector<std::string> cells = {point.method(), point.trained_on()};
    cells.resize(kColumnsBeforeSettings);
    for (const std::string& path : paths) cells.push_back(value_at(point.setting(), path));
    cells.resize(titles.size() - kFrontColumns);
    cells.push_back(spec::number_text(point.in_distribution()));
    cells.push_back(spec::number_text(point.out_of_distribution()));
    cells.emplace_back(point.on_front() ? "true" : "false");
    text += csv_line(cells);
  }
  return text;
}

}  // namespace prefixmem::client
