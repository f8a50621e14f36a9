// Choosing the checkpoint to go on from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/trainer/train/checkpoint.h"

namespace prefixmem::trainer {

struct ResumePoint {
  std::filesystem::path file;
  SafetensorsFile contents;
  CheckpointInfo info;
};

struct ResumeChoice {
  std::optional<ResumePoint> point;  // none: start from the beginning
  std::vector<std::string>
      warnings;  // one for each damaged file passed over, and for another machine
};

// What a checkpoint must fit.
struct Resuming {
  const std::string& spec_yaml;
  const std::string& data_digest;
  const std::string& fingerprint;
  bool deterministic = false;
};

// The newest checkpoint of the folder that is whole. FAILED_PRECONDITION where that one is of
// another job (naming the keys of the spec that differ) or of other data. Another fingerprint is a
// warning, or FAILED_PRECONDITION where `deterministic`.
Result<ResumeChoice> choose_resume_point(const std::filesystem::path& folder, const Resuming& job);

// The checkpoint of another job to go on from, without what that job has summed up.
// FAILED_PRECONDITION as above, but for the keys in which the specs may differ
// (spec::may_differ_in_continuation); DATA_LOSS where it is damaged.
Result<ResumeChoice> choose_continuation(const std::filesystem::path& file, const Resuming& job);

// Dotted paths at which two specs differ, of those that training depends on: name, labels,
// priority, after, resources, eval and the two "every" settings may change between attempts.
std::vector<std::string> differing_keys(const std::string& yaml_a, const std::string& yaml_b);

}  // namespace prefixmem::trainer
