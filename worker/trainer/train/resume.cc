#include "worker/trainer/train/resume.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>

#include "common/spec/continuation.h"
#include "common/spec/spec_io.h"

namespace prefixmem::trainer {
namespace {

using Leaves = std::map<std::string, std::string>;

void flatten(const YAML::Node& node, const std::string& path, Leaves& leaves) {
  if (node.IsMap() && node.size() > 0) {
    for (const auto& entry : node) {
      const auto key = entry.first.as<std::string>();
      flatten(entry.second, path.empty() ? key : path + "." + key, leaves);
    }
  } else {
    leaves[path] = YAML::Dump(node);
  }
}

bool may_change(const std::string& path) {
  static const char* const kKeys[] = {"name",
                                      "priority",
                                      "after",
                                      "labels",
                                      "resources",
                                      "eval",
                                      "data.eval",
                                      "train.eval_every",
                                      "train.checkpoint_every",
                                      "train.output",
                                      "train.activation_checkpointing",
                                      "train.continue_from",
                                      "train.keep_checkpoints",
                                      "train.keep_best"};
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const std::string& key) {
    return path == key || path.starts_with(key + ".");
  });
}

Leaves leaves_of(const std::string& yaml) {
  Leaves leaves;
  flatten(YAML::Load(yaml), "", leaves);
  return leaves;
}

// The keys that have come since an older program wrote it are at their defaults.
std::string with_all_keys(const std::string& spec_yaml) {
  const auto spec = parse_job_spec(spec_yaml);
  return spec.ok() ? to_yaml(*spec) : spec_yaml;
}

std::string listed(const std::vector<std::string>& keys) {
  std::string names;
  for (const auto& key : keys) names += (names.empty() ? "" : ", ") + key;
  return names;
}

Status check_same_job(const ResumePoint& point, const std::string& spec_yaml) {
  const auto keys = differing_keys(with_all_keys(point.info.spec_yaml), spec_yaml);
  if (keys.empty()) return {};
  return failed_precondition("checkpoint " + point.file.string() +
                             " belongs to another job, whose spec differs in " + listed(keys));
}

Status check_continuation(const ResumePoint& point, const std::string& spec_yaml) {
  auto keys = differing_keys(with_all_keys(point.info.spec_yaml), spec_yaml);
  std::erase_if(keys, spec::may_differ_in_continuation);
  if (keys.empty()) return {};
  return failed_precondition("the spec that made the checkpoint " + point.file.string() +
                             " differs in " + listed(keys) +
                             "; allowed: " + std::string(spec::kExploredKeys) + ", " +
                             std::string(spec::kOtherContinuationKeys));
}

Status check_rows(const ResumePoint& point, const std::string& data_digest) {
  if (point.info.data_digest != data_digest) {
    return failed_precondition("checkpoint " + point.file.string() +
                               " was trained on other rows: the data file has changed since");
  }
  return {};
}

Status check_machine(const ResumePoint& point, const Resuming& job, ResumeChoice& choice) {
  if (point.info.fingerprint == job.fingerprint) return {};
  const std::string change =
      " (" + point.info.fingerprint + " before, " + job.fingerprint + " now)";
  if (job.deterministic) {
    return failed_precondition("train.deterministic refuses to go on on another kind of machine" +
                               change);
  }
  choice.warnings.push_back(
      "resuming on another kind of machine: results may differ in their last bits" + change);
  return {};
}

Result<ResumePoint> open_point(const std::filesystem::path& file) {
  PM_ASSIGN(SafetensorsFile contents, SafetensorsFile::open(file));
  PM_ASSIGN(CheckpointInfo info, read_checkpoint_info(contents));
  return ResumePoint{file, std::move(contents), std::move(info)};
}

}  // namespace

std::vector<std::string> differing_keys(const std::string& yaml_a, const std::string& yaml_b) {
  const Leaves a = leaves_of(yaml_a);
  Leaves b = leaves_of(yaml_b);
  std::vector<std::string> keys;
  for (const auto& [path, value] : a) {
    const auto other = b.find(path);
    const bool equal = other != b.end() && other->second == value;
    if (other != b.end()) b.erase(other);
    if (!equal && !may_change(path)) keys.push_back(path);
  }
  for (const auto& [path, value] : b) {
    if (!may_change(path)) keys.push_back(path);
  }
  return keys;
}

Result<ResumeChoice> choose_resume_point(const std::filesystem::path& folder, const Resuming& job) {
  ResumeChoice choice;
  for (const auto& file : list_checkpoints(folder)) {
    auto point = open_point(file);
    if (!point.ok()) {
      choice.warnings.push_back("checkpoint " + file.string() +
                                " is damaged and passed over: " + point.status().message());
      continue;
    }
    PM_TRY(check_same_job(*point, job.spec_yaml));
    PM_TRY(check_rows(*point, job.data_digest));
    PM_TRY(check_machine(*point, job, choice));
    choice.point = std::move(*point);
    break;
  }
  return choice;
}

Result<ResumeChoice> choose_continuation(const std::filesystem::path& file, const Resuming& job) {
  auto point = open_point(file);
  PM_TRY(point.status().with_context("checkpoint " + file.string()));
  PM_TRY(check_continuation(*point, job.spec_yaml));
  PM_TRY(check_rows(*point, job.data_digest));
  ResumeChoice choice;
  PM_TRY(check_machine(*point, job, choice));
  point->info.progress = {};
  choice.point = std::move(*point);
  return choice;
}

}  // namespace prefixmem::trainer
