#include "client/render/results.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "client/render/averages.h"
#include "client/render/job_text.h"
#include "client/render/numbers.h"
#include "common/proto/sweep_state.h"

namespace prefixmem::client {
namespace {

// Reads the scores of the metric that was reported last.
void read_scores(const v1::Job& job, ResultRow& row) {
  const auto& evals = job.progress().evals();
  if (evals.empty()) return;
  const v1::EvalEvent& last = evals[evals.size() - 1];
  row.metric = last.metric();
  for (const v1::EvalEvent& eval : evals) {
    if (eval.metric() == row.metric && eval.step() == 0) row.before = eval.value();
  }
  if (last.step() > 0 || job.spec().method().has_none()) row.after = last.value();
}

std::string score_text(const ResultRow& row, const std::optional<double>& score, bool named) {
  if (!score) return "";
  return (named ? row.metric + " " : "") + client::score(row.metric, *score);
}

// "accuracy" where every row that has a metric has this one, otherwise empty.
std::string common_metric(const std::vector<ResultRow>& rows) {
  std::string metric;
  for (const ResultRow& row : rows) {
    if (row.metric.empty() || row.metric == metric) continue;
    if (!metric.empty()) return "";
    metric = row.metric;
  }
  return metric;
}

nlohmann::json optional_number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::ordered_json json_of(const ResultRow& row) {
  return {{"job", row.job},
          {"name", row.name},
          {"method", row.method},
          {"benchmark", row.benchmark},
          {"state", state_name(row.state)},
          {"metric", row.metric},
          {"before", optional_number(row.before)},
          {"after", optional_number(row.after)},
          {"loss", optional_number(row.loss)},
          {"tokens_per_second", optional_number(row.tokens_per_second)},
          {"trainable_parameters", row.trainable_parameters},
          {"wall_seconds", optional_number(row.wall_seconds)},
          {"adapter", row.adapter}};
}

nlohmann::ordered_json json_of(const SuiteAverage& average) {
  return {{"suite", average.suite},
          {"method", average.method},
          {"settings", average.settings},
          {"tasks", average.tasks},
          {"before", optional_number(average.before)},
          {"after", optional_number(average.after)}};
}

// What the sweep of a job has set in it, but for its benchmark and method.
std::map<std::string, std::string> other_settings(const v1::JobSpec& spec) {
  auto settings = sweep_settings(spec);
  for (const char* apart : {"benchmark", "eval.benchmark", "method", "name"}) settings.erase(apart);
  return settings;
}

std::string tested_on(const v1::JobSpec& spec) {
  return spec.eval().benchmark().empty() ? spec.benchmark() : spec.eval().benchmark();
}

bool any_benchmark(const std::vector<ResultRow>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const ResultRow& row) { return !row.benchmark.empty(); });
}

// A table of which the column "benchmark" stands only where it says something.
class ResultTable {
 public:
  ResultTable(std::vector<Column> columns, bool benchmarks)
      : benchmarks_(benchmarks), table_(kept(std::move(columns))) {}

  void add(std::vector<std::string> cells) { table_.add(kept(std::move(cells))); }
  Table take() { return std::move(table_); }

 private:
  static constexpr int kBenchmark = 2;  // its place

  template <class T>
  std::vector<T> kept(std::vector<T> cells) const {
    if (!benchmarks_) cells.erase(cells.begin() + kBenchmark);
    return cells;
  }

  const bool benchmarks_;
  Table table_;
};

}  // namespace

ResultRow result_row(const v1::Job& job, std::string adapter) {
  const v1::JobProgress& progress = job.progress();
  ResultRow row;
  row.job = job.id();
  row.name = job.name();
  row.method = method_text(job.spec().method());
  row.benchmark = tested_on(job.spec());
  row.settings = other_settings(job.spec());
  row.state = job.state();
  read_scores(job, row);
  if (progress.step() > 0) row.loss = progress.loss();
  if (progress.tokens_per_second() > 0) row.tokens_per_second = progress.tokens_per_second();
  row.trainable_parameters = progress.trainable_parameters();
  if (progress.wall_seconds() > 0) row.wall_seconds = progress.wall_seconds();
  row.adapter = std::move(adapter);
  return row;
}

Table result_table(const std::vector<ResultRow>& rows) {
  const std::string metric = common_metric(rows);
  const bool named = metric.empty();
  const std::string prefix = named ? "" : metric + " ";
  ResultTable table({{"name"},
                     {"method"},
                     {"benchmark"},
                     {"state"},
                     {prefix + "before", Align::kRight},
                     {prefix + "after", Align::kRight},
                     {"loss", Align::kRight},
                     {"tokens/s", Align::kRight},
                     {"trainable", Align::kRight},
                     {"trainer time", Align::kRight},
                     {"adapter"}},
                    any_benchmark(rows));
  for (const ResultRow& row : rows) {
    table.add({row.name.empty() ? row.job : row.name, row.method, row.benchmark,
               state_name(row.state), score_text(row, row.before, named),
               score_text(row, row.after, named), row.loss ? figures(*row.loss) : "",
               row.tokens_per_second ? short_count(*row.tokens_per_second) : "",
               whole(row.trainable_parameters),
               row.wall_seconds ? short_seconds(*row.wall_seconds) : "", row.adapter});
  }
  for (const SuiteAverage& average : suite_averages(rows)) {
    const auto text = [&](const std::optional<double>& value) {
      return value ? score(average.metric, *value) : "";
    };
    table.add({"average", average.method, average.suite + ", " + whole(average.tasks) + " tasks",
               "", text(average.before), text(average.after), "", "", "", "", ""});
  }
  return table.take();
}

std::string result_json(const std::vector<ResultRow>& rows) {
  nlohmann::ordered_json jobs = nlohmann::ordered_json::array();
  for (const ResultRow& row : rows) jobs.push_back(json_of(row));
  nlohmann::ordered_json averages = nlohmann::ordered_json::array();
  for (const SuiteAverage& one : suite_averages(rows)) averages.push_back(json_of(one));
  return nlohmann::ordered_json{{"jobs", std::move(jobs)}, {"averages", std::move(averages)}}.dump(
             2) +
         "\n";
}

}  // namespace prefixmem::client
