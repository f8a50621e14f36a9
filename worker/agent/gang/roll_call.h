// Where the ranks of a gang are by their own words, and whom the others wait for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"

namespace prefixmem::agent {

// Where a rank's process is.
struct RankHome {
  pid_t pid = 0;
  std::string host = {};  // empty: this one
};

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
    RankHome home;
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

  void joined(int rank, RankHome home) { ranks_[rank] = {.home = std::move(home)}; }
  void left(int rank) { ranks_.erase(rank); }
  std::vector<int> ranks() const;
  std::vector<int> asked() const;  // in this round

  // A new round: nobody has answered. Ranks of other hosts are asked where those are heard.
  void begin(bool others_are_heard = true);
  void answered(int rank, RankCall call);

  // By the answers of this round, which the ranks have had time to give; who was not asked is not
  // missed. One rank alone waits for nobody.
  std::optional<Hang> hang() const;

  // Of the first that has not answered in that many rounds on end, this one not counted.
  std::optional<Hang::Absent> silent(int rounds) const;

 private:
  struct Rank {
    RankHome home = {};
    std::optional<RankCall> said = {};
    bool asked = false;
    int unanswered = 0;  // rounds before this one
  };
  const Millis patience_;
  std::map<int, Rank> ranks_;
};

// The same ranks missing in the same call. Two that do not hang are the same.
bool same_hang(const std::optional<Hang>& a, const std::optional<Hang>& b);

// One sentence: who, on which host (`host`: this one), which call, how long, in which state its
// process is (as in /proc/PID/stat; '?': not known).
std::string absent_text(const Hang& hang, const Hang::Absent& absent, const std::string& host,
                        char process_state);
// One sentence: who has not answered for that long.
std::string silent_text(const Hang::Absent& silent, Millis span, const std::string& host,
                        char process_state);
// One sentence, where nobody is absent.
std::string endless_text(const Hang& hang, const std::string& host);

}  // namespace prefixmem::agent
