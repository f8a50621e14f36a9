#include "coordinator/web/job_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"
#include "coordinator/web/html.h"
#include "coordinator/web/message_json.h"

namespace prefixmem::web {
namespace {

constexpr const char* kFrame = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:">
<title>{0} · prefixmem</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/style.css">
<script defer src="/assets/chart.js"></script>
<script defer src="/assets/job.js"></script>
</head>
<body data-job="{1}">
<nav><a href="/">prefixmem</a></nav>
<h1>{0} <small><code>{1}</code></small></h1>
<noscript><p role="alert">This page needs JavaScript; <code>pmt show {1}</code> does not.</p></noscript>
<p id="problem" role="alert" hidden></p>
<section aria-label="State">
<p><strong id="state">loading…</strong> <span id="reason"></span></p>
<p><progress id="progress" aria-label="Steps done" max="1" value="0"></progress> <span id="step"></span></p>
<dl id="figures"></dl>
</section>
<section aria-labelledby="loss-title">
<h2 id="loss-title">Loss</h2>
<p id="no-steps">No step yet.</p>
<div class="chart" hidden><canvas id="loss" role="img" aria-label="Training loss by step"></canvas></div>
</section>
<section aria-labelledby="evaluations-title" id="evaluations" hidden>
<h2 id="evaluations-title">Evaluations</h2>
<div class="table"><table><thead><tr><th>after step</th><th>metric</th><th class="number">value</th><th class="number">rows</th></tr></thead><tbody></tbody></table></div>
</section>
<section aria-labelledby="timeline-title">
<h2 id="timeline-title">States</h2>
<ol id="timeline"></ol>
</section>
<section aria-labelledby="logs-title" id="logs" hidden>
<h2 id="logs-title">Log</h2>
<pre tabindex="0"></pre>
</section>
<section aria-labelledby="files-title">
<h2 id="files-title">Files</h2>
<p id="no-files">No file yet.</p>
<div class="table"><table id="files" hidden><thead><tr><th>file</th><th>kind</th><th class="number">step</th><th class="number">size</th></tr></thead><tbody></tbody></table></div>
</section>
<section aria-labelledby="spec-title">
<h2 id="spec-title">Spec</h2>
<pre id="spec" tabindex="0"></pre>
</section>
</body>
</html>
)html";

}  // namespace

std::string job_page(const v1::Job& job) {
  return fmt::format(kFrame, escaped(job.name()), escaped(job.id()));
}

Result<std::string> job_json(const v1::Job& job, const std::vector<v1::Artifact>& files) {
  PM_ASSIGN(const JobSpec spec, job_spec_from_proto(job.spec()));
  PM_ASSIGN(const std::string shown, message_json(job));
  std::string list;
  for (const v1::Artifact& file : files) {
    PM_ASSIGN(const std::string one, message_json(file));
    list += (list.empty() ? "" : ",") + one;
  }
  const std::string yaml = nlohmann::json(to_yaml(spec)).dump();
  return "{\"job\":" + shown + ",\"spec\":" + yaml + ",\"files\":[" + list + "]}\n";
}

}  // namespace prefixmem::web
