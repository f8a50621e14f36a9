// Where the ranks of a gang are by their own words, and whom the others wait for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"

namespace prefixmem::agent {

// What a rank answers to {"where": {}}.
struct RankCall {
  std::string name;    // the collective call that it is in; empty: none
  int64_t number = 0;  // of that call or of its last one, the same on every rank
  double seconds = 0;  // for which it has been in it
};

// A collective call that does not end.
struct Hang {
  struct Absent {
    int rank = 0;
    pid_t pid = 0;
    std::optional<RankCall> said;  // none: it does not even answer
  };
  RankCall call;               // as the rank says that has waited longest
  std::vector<Absent> absent;  // who is not in it, by rank; empty: everybody is
};

// Not thread-safe; pure but for itself.
class RollCall {
 public:
  // A wait shorter than `patience` is none: ranks differ in their work.
  explicit RollCall(Millis patience) : patience_(patience) {}

  void joined(int rank, pid_t pid) { ranks_[rank] = {.pid = pid}; }
  void left(int rank) { ranks_.erase(rank); }
  std::vector<int> ranks() const;

  // A new round: nobody has answered.
  void begin();
  void answered(int rank, RankCall call);

  // By the answers of this round, which the ranks have had time to give. One rank alone waits for
  // nobody.
  std::optional<Hang> hang() const;

  // Of the first that has not answered in that many rounds on end, this one not counted.
  std::optional<Hang::Absent> silent(int rounds) const;

 private:
  struct Rank {
    pid_t pid = 0;
    std::optional<RankCall> said = {};
    bool asked = false;
    int unanswered = 0;  // rounds before this one
  };
  const Millis patience_;
  std::map<int, Rank> ranks_;
};

// The same ranks missing in the same call. Two that do not hang are the same.
bool same_hang(const std::optional<Hang>& a, const std::optional<Hang>& b);

// One sentence: who, on which host, which call, how long, in which state its process is (as in
// /proc/PID/stat; '?': not known).
std::string absent_text(const Hang& hang, const Hang::Absent& absent, const std::string& host,
                        char process_state);
// One sentence: who has not answered for that long.
std::string silent_text(const Hang::Absent& silent, Millis span, const std::string& host,
                        char process_state);
// One sentence, where nobody is absent.
std::string endless_text(const Hang& hang, const std::string& host);

}  // namespace prefixmem::agent
