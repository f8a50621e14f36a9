#include "worker/agent/gang/gang_end.h"

#include <csignal>
#include <cstring>
#include <regex>

namespace prefixmem::agent {
namespace {

constexpr int kSignalBase = 128;

int signal_of(const ProcessExit& exit) {
  if (exit.signal != 0) return exit.signal;
  return exit.code > kSignalBase && exit.code < kSignalBase + NSIG ? exit.code - kSignalBase : 0;
}

// No process of a gang sends itself one of these.
bool is_from_outside(int signal) {
  return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

std::string signal_text(int signal) {
  const char* name = sigabbrev_np(signal);
  const std::string number = "signal " + std::to_string(signal);
  return name == nullptr ? number : number + " (SIG" + name + ")";
}

Status explain_signal(const GangEnd& end, int signal) {
  std::string who = end.exit.signal != 0 ? "mpirun" : "a rank";
  if (end.exit.signal == 0) {
    const auto killed = killed_rank(end.output);
    if (killed && killed->signal == signal) {
      who = "rank " + std::to_string(killed->rank);
    } else if (end.first_lost_rank) {
      who = "rank " + std::to_string(*end.first_lost_rank);
    }
  }
  const std::string what = who + " was killed by " + signal_text(signal);
  if (signal == SIGKILL && end.memory_ran_out) {
    std::string held;
    if (end.largest_bytes > 0) {
      held =
          ", of which its largest process held " + std::to_string(end.largest_bytes >> 20) + " MiB";
    }
    return resource_exhausted(what + " because the host ran out of memory" + held +
                              "; lower train.micro_batch_tokens or resources.ranks");
  }
  if (is_from_outside(signal)) return unavailable(what + ", which somebody on its host sent");
  const std::string words = last_words(end.output);
  return internal_error(words.empty() ? what : what + "; its last words: " + words);
}

Status explain_code(const GangEnd& end) {
  const std::string words = last_words(end.output);
  const std::string detail = words.empty() ? "it wrote nothing to stderr" : words;
  const auto code = code_from_exit(end.exit.code);
  if (code) return {*code, detail};
  return internal_error("the trainer exited with code " + std::to_string(end.exit.code) + ": " +
                        detail);
}

Status explain_failure(const GangEnd& end) {
  const int signal = signal_of(end.exit);
  if (end.killed_here && end.failure) return end.failure->status;
  if (signal != 0 && !(end.failure && end.failed_before_loss)) return explain_signal(end, signal);
  return end.failure ? end.failure->status : explain_code(end);
}

}  // namespace

Status explain_end(const GangEnd& end) {
  PM_TRY(end.trouble);
  if (end.exit.code == 0 && end.exit.signal == 0) return {};
  Status status = explain_failure(end);
  if (status.code() == Code::kUnavailable && !end.hang.empty()) {
    status = unavailable(status.message() + "; " + end.hang);
  }
  if (status.code() != Code::kCancelled) return status;
  return unavailable("the gang was stopped by somebody on its host: " + status.message());
}

std::optional<KilledRank> killed_rank(const std::deque<std::string>& output) {
  static const std::regex kNotice(
      R"(noticed that process rank (\d{1,6}) .*exited on signal (\d{1,3}))");
  for (auto line = output.rbegin(); line != output.rend(); ++line) {
    std::smatch match;
    if (!std::regex_search(*line, match, kNotice)) continue;
    return KilledRank{std::stoi(match[1]), std::stoi(match[2])};
  }
  return std::nullopt;
}

std::string last_words(const std::deque<std::string>& output) {
  bool framed = false;
  for (auto line = output.rbegin(); line != output.rend(); ++line) {
    if (line->starts_with("----------")) {
      framed = !framed;
    } else if (!framed && line->find_first_not_of(" \t\r") != std::string::npos) {
      return *line;
    }
  }
  return {};
}

}  // namespace prefixmem::agent
