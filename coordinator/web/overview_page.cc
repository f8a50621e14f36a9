#include "coordinator/web/overview_page.h"

#include <fmt/format.h>

#include "common/proto/job_state.h"
#include "common/version.h"
#include "coordinator/web/html.h"

namespace prefixmem::web {
namespace {

constexpr const char* kHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3">
<title>prefixmem</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
progress { width: 8rem; }
.failed, .lost { color: #d33; } .running { color: #28c; } .succeeded, .connected { color: #292; }
footer { margin-top: 2rem; opacity: .7; }
</style>
</head>
<body>
)html";

std::string counts_line(const Overview& overview) {
  std::string line;
  for (const auto& [state, count] : overview.jobs) {
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", count, state_name(state));
  }
  return line.empty() ? "No job has been submitted yet." : line;
}

std::string progress_cell(const v1::Job& job) {
  const v1::JobProgress& progress = job.progress();
  if (progress.total_steps() == 0) return escaped(progress.phase());
  return fmt::format(R"(<progress max="{0}" value="{1}"></progress> {1} / {0})",
                     progress.total_steps(), progress.step());
}

// Jobs of a bank show the same.
std::string gang_cell(const v1::Job& job) {
  if (job.gang_jobs() < 2) return "";
  return fmt::format("<code>{}</code> of {} jobs", escaped(job.gang()), job.gang_jobs());
}

std::string job_row(const v1::Job& job) {
  const v1::JobProgress& progress = job.progress();
  const std::string state = state_name(job.state());
  const std::string loss = progress.step() > 0 ? fmt::format("{:.4f}", progress.loss()) : "";
  const std::string speed =
      progress.tokens_per_second() > 0 ? fmt::format("{:.0f}", progress.tokens_per_second()) : "";
  return fmt::format(
      "<tr><td>{}</td><td><code>{}</code></td><td class=\"{}\">{}</td><td>{}</td>"
      "<td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
      escaped(job.name()), escaped(job.id()), state, state, progress_cell(job), loss, speed,
      gang_cell(job), escaped(job.reason()));
}

std::string jobs_table(const std::vector<v1::Job>& jobs) {
  if (jobs.empty()) return "<p>Submit one: <code>pmt submit job.yaml</code></p>\n";
  std::string rows;
  for (const v1::Job& job : jobs) rows += job_row(job);
  return "<div class=\"table\"><table>\n<tr><th>job</th><th>id</th><th>state</th><th>step</th>"
         "<th class=\"number\">loss</th><th class=\"number\">tokens/s</th><th>gang</th>"
         "<th>reason</th></tr>\n" +
         rows + "</table></div>\n";
}

std::string worker_row(const v1::Worker& worker) {
  const std::string state = escaped(worker.state());
  return fmt::format(
      "<tr><td><code>{}</code></td><td>{}</td><td class=\"{}\">{}</td><td>{}</td>"
      "<td class=\"number\">{} / {}</td><td class=\"number\">{:.1f} s ago</td></tr>\n",
      escaped(worker.id()), escaped(worker.host()), state, state, escaped(worker.device()),
      worker.used_slots(), worker.slots(), worker.heartbeat_age_seconds());
}

std::string workers_table(const std::vector<v1::Worker>& workers) {
  if (workers.empty()) return "<p>No worker is connected: start <code>pmt-worker</code>.</p>\n";
  std::string rows;
  for (const v1::Worker& worker : workers) rows += worker_row(worker);
  return "<div class=\"table\"><table>\n<tr><th>worker</th><th>host</th><th>state</th>"
         "<th>device</th><th class=\"number\">slots used</th><th "
         "class=\"number\">heard</th></tr>\n" +
         rows + "</table></div>\n";
}

}  // namespace

std::string overview_page(const Overview& overview, const std::vector<v1::Job>& newest_jobs) {
  return kHead + fmt::format("<h1>prefixmem</h1>\n<p>{}</p>\n", counts_line(overview)) +
         "<h2>Jobs, newest first</h2>\n" + jobs_table(newest_jobs) + "<h2>Workers</h2>\n" +
         workers_table(overview.workers) +
         fmt::format(
             "<footer>prefixmem {} · <a href=\"/metrics\">metrics</a></footer>\n"
             "</body>\n</html>\n",
             version());
}

}  // namespace prefixmem::web
