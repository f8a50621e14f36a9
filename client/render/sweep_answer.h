// What `pmt results SWEEP` prints of methods and benchmarks.
#pragma once

#include <string>

#include "client/render/table.h"
#include "prefixmem/v1/sweep.pb.h"

namespace prefixmem::client {

// Whether the sweep compares methods on several benchmarks, or has tested what it found.
bool has_answer(const v1::SweepResults& results);

// Methods by benchmarks: mean ± deviation, suites, and how sure the difference to the baseline is.
Table answer_table(const v1::SweepAnswer& answer);
// The setting of each method on each benchmark, and where it was chosen.
Table best_setting_table(const v1::SweepAnswer& answer);
// Scores in and out of distribution; empty where nothing was tested on both.
Table pareto_table(const v1::SweepAnswer& answer);

// All of that for people: text, or Markdown.
std::string answer_text(const v1::SweepResults& results);
std::string answer_markdown(const v1::SweepResults& results);
// A line for each method and benchmark, each suite and each comparison with the baseline, then for
// each point in and out of distribution; unrounded.
std::string answer_csv(const v1::SweepAnswer& answer);

}  // namespace prefixmem::client
