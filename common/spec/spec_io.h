// Reading, checking and writing a JobSpec as YAML.
#pragma once

#include <filesystem>
#include <optional>
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

// Checks across fields (one of max_steps and epochs, …); parse_job_spec has already called it. A
// spec with `sweep` is good when each of its trials is: its base alone need not be whole.
Status validate(const JobSpec& spec);

// Every key that has a value written out, defaults included; parse_job_spec(to_yaml(s)) equals s
// for every valid s, doubles to the bit.
std::string to_yaml(const JobSpec& spec);

// The trials of a spec with a `sweep` block, in a fixed order (docs/job-spec.md, "Sweeps"): each a
// valid spec without `sweep`, named "<name>-<number from 1>" unless the trial gives a name, with a
// label sweep.<path> for each overridden path. A spec without one is its own only trial. Failures
// name the trial and the path; at most 10,000 trials. Of method none one seed is enough. Not for a
// search, whose trials are not known.
Result<std::vector<JobSpec>> expand_sweep(const JobSpec& spec);
// Before the path, in the label of a trial that says what its sweep has set there.
inline constexpr std::string_view kSweepLabel = "sweep.";

// Trial `number` (from 1) of a search, named and labelled likewise; `seed` is one of sweep.seeds.
// INVALID_ARGUMENT where the setting makes no valid spec.
Result<JobSpec> make_trial(const JobSpec& spec, const Setting& setting, int number,
                           std::optional<int64_t> seed = std::nullopt);

// What `pmt explain [path]` prints: meaning, allowed values and default of a key and the list of
// the keys below it; for an empty path the list of all. INVALID_ARGUMENT for a path that is no key.
Result<std::string> explain(std::string_view path);
// docs/job-spec.md, generated; a test keeps the file equal to it.
std::string job_spec_markdown();

}  // namespace prefixmem
