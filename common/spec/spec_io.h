// Reading, checking and writing a JobSpec as YAML.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem {

// Parses and validates. Unknown keys, wrong types and values out of range are INVALID_ARGUMENT with
// the field's path, its value and what is allowed ("train.learning_rate is -1; allowed: a number
// above 0"). JSON is YAML.
Result<JobSpec> parse_job_spec(std::string_view yaml);
Result<JobSpec> load_job_spec(const std::filesystem::path& file);

// Checks across fields (one of max_steps and epochs, …); parse_job_spec has already called it.
Status validate(const JobSpec& spec);

// Every key written out, defaults included; parse_job_spec(to_yaml(s)) equals s.
std::string to_yaml(const JobSpec& spec);

// The trials of a spec with a `sweep` block, in a fixed order: each a spec without `sweep`, named
// "<name>-<index>" with a label for each overridden path. A spec without one is its own only trial.
Result<std::vector<JobSpec>> expand_sweep(const JobSpec& spec);

// What `pmt explain [path]` prints: key, type, default, allowed values and documentation.
Result<std::string> explain(std::string_view path);
// docs/job-spec.md, generated; a test keeps the file equal to it.
std::string job_spec_markdown();

}  // namespace prefixmem
