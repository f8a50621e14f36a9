#include "worker/trainer/train/bank_file.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "common/files.h"
#include "common/model/strict_json.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

Result<std::filesystem::path> path_of(const json& trial, const char* key) {
  const auto at = trial.find(key);
  if (at != trial.end() && at->is_string() && !at->get_ref<const std::string&>().empty()) {
    return std::filesystem::path(at->get<std::string>());
  }
  return invalid_argument(std::string(key) + " is " + (at == trial.end() ? "missing" : shown(*at)) +
                          "; allowed: a path");
}

Result<json> trials_of(const std::filesystem::path& file) {
  PM_ASSIGN(const std::string text, read_file(file));
  auto bank = parse_strict_json(text, 4);
  PM_TRY(bank.status().with_context(file.string()));
  const auto trials = bank->find("trials");
  if (bank->size() == 1 && trials != bank->end() && trials->is_array() && !trials->empty()) {
    return *trials;
  }
  return invalid_argument(file.string() + " holds no bank; allowed: one key, trials, a list");
}

}  // namespace

Result<TrialFiles> trial_files(const nlohmann::json& trial) {
  if (!trial.is_object()) return invalid_argument("it is " + shown(trial) + ", not an object");
  for (const auto& [key, value] : trial.items()) {
    if (key == "spec" || key == "out" || key == "resume" || key == "portable") continue;
    return invalid_argument("unknown key " + key + "; allowed: spec, out, resume, portable");
  }
  TrialFiles files;
  PM_ASSIGN(files.spec, path_of(trial, "spec"));
  PM_ASSIGN(files.out, path_of(trial, "out"));
  if (trial.contains("portable")) {
    PM_ASSIGN(files.portable, path_of(trial, "portable"));
  }
  const auto resume = trial.find("resume");
  if (resume == trial.end()) return files;
  if (!resume->is_boolean()) {
    return invalid_argument("resume is " + shown(*resume) + "; allowed: true, false");
  }
  files.resume = resume->get<bool>();
  return files;
}

Result<std::vector<TrialFiles>> read_bank_file(const std::filesystem::path& file) {
  PM_ASSIGN(const json trials, trials_of(file));
  std::vector<TrialFiles> bank;
  std::set<std::filesystem::path> folders;
  for (const json& trial : trials) {
    const std::string where = file.string() + ", trial " + std::to_string(bank.size());
    auto files = trial_files(trial);
    PM_TRY(files.status().with_context(where));
    if (!folders.insert(files->out.lexically_normal()).second) {
      return invalid_argument(where + ": out is " + files->out.string() +
                              ", that of another trial; allowed: a folder of its own");
    }
    bank.push_back(std::move(*files));
  }
  return bank;
}

}  // namespace prefixmem::trainer
