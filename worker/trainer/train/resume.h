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

// The newest checkpoint of the folder that is whole. FAILED_PRECONDITION where that one is of
// another job (naming the keys of the spec that differ) or of other data. Another fingerprint is a
// warning, or FAILED_PRECONDITION where `deterministic`.
Result<ResumeChoice> choose_resume_point(const std::filesystem::path& folder,
                                         const std::string& spec_yaml,
                                         const std::string& data_digest,
                                         const std::string& fingerprint,
                                         bool deterministic = false);

// Dotted paths at which two specs differ, of those that training depends on: name, labels,
// priority, after, resources, eval and the two "every" settings may change between attempts.
std::vector<std::string> differing_keys(const std::string& yaml_a, const std::string& yaml_b);

}  // namespace prefixmem::trainer
