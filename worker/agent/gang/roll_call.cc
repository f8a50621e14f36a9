#include "worker/agent/gang/roll_call.h"

#include <cmath>

namespace prefixmem::agent {
namespace {

std::string call_text(const RankCall& call) {
  return call.name + " (call " + std::to_string(call.number) + ") for " +
         std::to_string(std::lround(call.seconds)) + " s";
}

const char* state_text(char state) {
  switch (state) {
    case 'T':
      return "is stopped by a signal";
    case 't':
      return "is held by a debugger";
    case 'D':
      return "waits for a disk or a device";
    case 'Z':
    case 'X':
      return "is dead";
    case 'R':
      return "computes";
    case 'S':
      return "sleeps";
    default:
      return "is in an unknown state";
  }
}

std::string said_text(const std::optional<RankCall>& said) {
  if (!said) return "does not answer";
  if (said->name.empty()) return "left its last call, number " + std::to_string(said->number);
  return "is in " + call_text(*said);
}

std::string who_text(const Hang::Absent& absent, const std::string& host) {
  return "rank " + std::to_string(absent.rank) + " on host " +
         (absent.home.host.empty() ? host : absent.home.host);
}

std::string key_of(const std::optional<Hang>& hang) {
  if (!hang) return {};
  std::string key = std::to_string(hang->call.number);
  for (const Hang::Absent& absent : hang->absent) key += " " + std::to_string(absent.rank);
  return key;
}

}  // namespace

std::vector<int> RollCall::ranks() const {
  std::vector<int> numbers;
  for (const auto& [number, rank] : ranks_) numbers.push_back(number);
  return numbers;
}

std::vector<int> RollCall::asked() const {
  std::vector<int> numbers;
  for (const auto& [number, rank] : ranks_) {
    if (rank.asked) numbers.push_back(number);
  }
  return numbers;
}

void RollCall::begin(bool others_are_heard) {
  for (auto& [number, rank] : ranks_) {
    rank.unanswered = rank.asked && !rank.said ? rank.unanswered + 1 : 0;
    rank.asked = others_are_heard || rank.home.host.empty();
    rank.said.reset();
  }
}

void RollCall::answered(int rank, RankCall call) {
  const auto at = ranks_.find(rank);
  if (at != ranks_.end()) at->second.said = std::move(call);
}

std::optional<Hang> RollCall::hang() const {
  std::optional<Hang> hang;
  if (ranks_.size() < 2) return hang;
  for (const auto& [number, rank] : ranks_) {
    if (!rank.said || rank.said->name.empty()) continue;
    if (rank.said->seconds < to_seconds(patience_)) continue;
    if (!hang || rank.said->seconds > hang->call.seconds) hang = Hang{*rank.said, {}};
  }
  if (!hang) return hang;
  bool unknown = false;
  for (const auto& [number, rank] : ranks_) {
    const bool there = rank.said && rank.said->number >= hang->call.number;
    if (!there && rank.asked) hang->absent.push_back({number, rank.home, rank.said});
    unknown |= !rank.asked;
  }
  if (unknown && hang->absent.empty()) hang.reset();  // they may wait for one who was not asked
  return hang;
}

std::optional<Hang::Absent> RollCall::silent(int rounds) const {
  for (const auto& [number, rank] : ranks_) {
    if (rank.asked && !rank.said && rank.unanswered >= rounds) {
      return Hang::Absent{number, rank.home, rank.said};
    }
  }
  return std::nullopt;
}

bool same_hang(const std::optional<Hang>& a, const std::optional<Hang>& b) {
  return key_of(a) == key_of(b);
}

std::string absent_text(const Hang& hang, const Hang::Absent& absent, const std::string& host,
                        char process_state) {
  return who_text(absent, host) + " keeps the others waiting, who have been in " +
         call_text(hang.call) + ": its process " + std::to_string(absent.home.pid) + " " +
         state_text(process_state) + " and " + said_text(absent.said);
}

std::string silent_text(const Hang::Absent& silent, Millis span, const std::string& host,
                        char process_state) {
  return who_text(silent, host) + " has not answered for " +
         std::to_string(std::lround(to_seconds(span))) + " s: its process " +
         std::to_string(silent.home.pid) + " " + state_text(process_state);
}

std::string endless_text(const Hang& hang, const std::string& host) {
  return "every rank on host " + host + " has been in " + call_text(hang.call) +
         ", which does not end: look at what connects them";
}

}  // namespace prefixmem::agent
