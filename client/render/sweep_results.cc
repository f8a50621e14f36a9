#include "client/render/sweep_results.h"

#include <set>
#include <vector>

#include "client/render/csv.h"
#include "client/render/numbers.h"
#include "client/render/setting.h"
#include "common/spec/limit.h"

namespace prefixmem::client {
namespace {

// Of all settings: one that a setting has not is empty there.
std::set<std::string> paths_of(const v1::SweepResults& results) {
  std::set<std::string> paths;
  for (const v1::SettingResult& row : results.settings()) add_paths(row.setting(), paths);
  return paths;
}

int all_trials(const v1::TrialCounts& counts) {
  return counts.waiting() + counts.running() + counts.succeeded() + counts.failed() +
         counts.cancelled();
}

std::string finished_text(const v1::TrialCounts& counts) {
  return std::to_string(counts.succeeded()) + "/" + std::to_string(all_trials(counts));
}

// What a row's figures are of; its own where trials of the sweep differ in it.
std::string metric_of(const v1::SweepResults& results, const v1::SettingResult& row) {
  const std::string& common = results.sweep().goal().metric();
  return common.empty() ? row.metric() : common;
}

std::string mean_text(const v1::SweepResults& results, const v1::SettingResult& row) {
  if (!row.has_mean()) return "";
  const bool named = results.sweep().goal().metric().empty();
  const std::string text = score(metric_of(results, row), row.mean());
  return named ? row.metric() + " " + text : text;
}

std::string sd_text(const v1::SweepResults& results, const v1::SettingResult& row) {
  return row.has_sd() ? score(metric_of(results, row), row.sd()) : "";
}

std::string spent_text(const v1::SweepResults& results) {
  const v1::SweepCost& cost = results.cost();
  return short_count(static_cast<double>(cost.tokens())) + " tokens, " +
         short_seconds(cost.seconds()) + " of trials, " + short_seconds(cost.device_seconds()) +
         " of devices";
}

}  // namespace

Table setting_table(const v1::SweepResults& results) {
  const auto paths = paths_of(results);
  std::vector<Column> columns;
  for (const std::string& path : paths) columns.push_back({path});
  const std::string& metric = results.sweep().goal().metric();
  columns.push_back({metric.empty() ? "mean" : metric + " mean", Align::kRight});
  columns.push_back({"sd", Align::kRight});
  columns.push_back({"finished", Align::kRight});
  columns.push_back({"tokens", Align::kRight});
  columns.push_back({"time", Align::kRight});
  columns.push_back({"device time", Align::kRight});
  columns.push_back({"best job"});
  Table table(std::move(columns));
  for (const v1::SettingResult& row : results.settings()) {
    std::vector<std::string> cells;
    for (const std::string& path : paths) cells.push_back(value_at(row.setting(), path));
    cells.push_back(mean_text(results, row));
    cells.push_back(sd_text(results, row));
    cells.push_back(finished_text(row.trials()));
    cells.push_back(short_count(static_cast<double>(row.cost().tokens())));
    cells.push_back(short_seconds(row.cost().seconds()));
    cells.push_back(short_seconds(row.cost().device_seconds()));
    cells.push_back(row.best_job_id());
    table.add(std::move(cells));
  }
  return table;
}

std::string sweep_summary(const v1::SweepResults& results) {
  std::string best;
  if (results.settings_size() > 0 && results.settings(0).has_mean()) {
    const v1::SettingResult& row = results.settings(0);
    best = setting_text(row.setting());
    const std::string& metric = results.sweep().goal().metric();
    best += " (" + (metric.empty() ? "" : metric + " ") + mean_text(results, row);
    if (row.has_sd()) best += " ± " + sd_text(results, row);
    best += ", " + row.best_job_id() + ")";
  }
  return fields({{"best", best},
                 {"cost", spent_text(results)},
                 {"finished", finished_text(results.sweep().trials()) + " trials"}});
}

std::string cost_summary(const v1::SweepResults& results) {
  return fields({{"cost", spent_text(results)},
                 {"finished", finished_text(results.sweep().trials()) + " trials"}});
}

std::string setting_csv(const v1::SweepResults& results) {
  const auto paths = paths_of(results);
  std::vector<std::string> titles(paths.begin(), paths.end());
  for (const char* title : {"metric", "mean", "sd", "trials", "finished", "tokens", "seconds",
                            "device_seconds", "best_job_id"}) {
    titles.emplace_back(title);
  }
  std::string text = csv_line(titles);
  for (const v1::SettingResult& row : results.settings()) {
    std::vector<std::string> cells;
    for (const std::string& path : paths) cells.push_back(value_at(row.setting(), path));
    cells.push_back(metric_of(results, row));
    cells.push_back(csv_number(row.has_mean(), row.mean()));
    cells.push_back(csv_number(row.has_sd(), row.sd()));
    cells.push_back(std::to_string(all_trials(row.trials())));
    cells.push_back(std::to_string(row.trials().succeeded()));
    cells.push_back(std::to_string(row.cost().tokens()));
    cells.push_back(spec::number_text(row.cost().seconds()));
    cells.push_back(spec::number_text(row.cost().device_seconds()));
    cells.push_back(row.best_job_id());
    text += csv_line(cells);
  }
  return text;
}

}  // namespace prefixmem::client
