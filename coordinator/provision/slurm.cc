#include "coordinator/provision/slurm.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/spec/utf8.h"
#include "coordinator/provision/command.h"

namespace prefixmem::provision {
namespace {

using scheduler::Allocation;
using scheduler::AllocationState;

constexpr std::string_view kPrefix = "slurm:";
constexpr Millis kLimit{30'000};
constexpr size_t kShownOfAnswer = 80;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return c >= '0' && c <= '9'; });
}

Status unclear(const char* program, std::string_view answer, const char* expected) {
  return unavailable(fmt::format("{} answered \"{}\"; expected: {}", program,
                                 spec::shortened(answer, kShownOfAnswer), expected));
}

AllocationState state_of(std::string_view name) {
  for (const char* pending : {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT",
                              "RESV_DEL_HOLD", "POWER_UP_NODE"}) {
    if (name == pending) return AllocationState::kPending;
  }
  for (const char* running :
       {"RUNNING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT"}) {
    if (name == running) return AllocationState::kRunning;
  }
  return AllocationState::kEnding;
}

class Slurm final : public BatchSystem {
 public:
  Slurm(const Config& config, std::string name, std::stop_token stop)
      : script_(config.script),
        arguments_(config.arguments),
        name_(std::move(name)),
        stop_(std::move(stop)) {}

  Result<std::vector<Allocation>> list() override {
    PM_ASSIGN(const std::string answer,
              run({"squeue", "--noheader", "--me", "--name=" + name_, "--format=%i|%T"}));
    return parse_queue(answer);
  }

  // An allocation that is taken away is not to come again by itself: who waits asks for another.
  Result<std::string> submit() override {
    std::vector<std::string> words = {"sbatch"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    for (const char* own : {"--parsable", "--no-requeue"}) words.emplace_back(own);
    words.push_back("--job-name=" + name_);
    words.push_back(script_);
    PM_ASSIGN(const std::string answer, run(words));
    return parse_submission(answer);
  }

  Status cancel(const std::string& id) override { return run({"scancel", number_of(id)}).status(); }

  Status withdraw(const std::string& id) override {
    return run({"scancel", "--state=PENDING", number_of(id)}).status();
  }

 private:
  static std::string number_of(const std::string& id) { return id.substr(kPrefix.size()); }
  Result<std::string> run(const std::vector<std::string>& words) const {
    return run_command(words, kLimit, stop_);
  }

  const std::string script_;
  const std::vector<std::string> arguments_;
  const std::string name_;
  const std::stop_token stop_;
};

}  // namespace

std::unique_ptr<BatchSystem> make_slurm(const Config& config, std::string name,
                                        std::stop_token stop) {
  return std::make_unique<Slurm>(config, std::move(name), std::move(stop));
}

Result<std::vector<Allocation>> parse_queue(std::string_view text) {
  std::vector<Allocation> allocations;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t bar = line.find('|');
    if (bar == std::string_view::npos || !is_number(line.substr(0, bar))) {
      return unclear("squeue", line, "lines NUMBER|STATE");
    }
    allocations.push_back(
        {std::string(kPrefix).append(line.substr(0, bar)), state_of(line.substr(bar + 1))});
  }
  return allocations;
}

Result<std::string> parse_submission(std::string_view text) {
  const std::string_view number = text.substr(0, text.find_first_of(";\n"));
  if (!is_number(number)) return unclear("sbatch", text, "NUMBER or NUMBER;CLUSTER");
  return std::string(kPrefix).append(number);
}

}  // namespace prefixmem::provision
