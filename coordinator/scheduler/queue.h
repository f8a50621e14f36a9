// Waiting jobs, kept from change to change in lines of those that are alike.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// Jobs of one kind differ in nothing that counts for a placement but their turn: where one waits
// those behind it wait too, for within a placement room only becomes less.
struct Kind {
  std::string tenant = {};
  int ranks = 1;  // wanted
  int least = 0;
  Device device = Device::kAuto;
  std::optional<Millis> left = {};  // of its time limit
  std::string bank = {};
  int bank_limit = 0;
  bool resumes = false;  // only where it has a bank
  Memory memory = {};
  std::string avoid = {};

  auto operator<=>(const Kind&) const = default;
};

Kind kind_of(const Job& job);

// When a job is looked at: of one tenant the least first. The second number is Job::turn, or the
// largest where it has none.
using Turn = std::tuple<int64_t, int64_t, int64_t, std::string>;
Turn turn_of(const Job& job);

// Each change costs the logarithm of its length. Not thread-safe.
class Queue {
 public:
  using Line = std::map<Turn, const Job*>;

  Queue() = default;
  explicit Queue(const std::vector<Job>& jobs);
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  enum class Change {
    kNone,    // it waits there already
    kBehind,  // others of its kind: no placement comes to another end by it
    kFirst,   // of its kind
  };
  // Puts the job in its place, anew where something about it has changed.
  Change put(const Job& job);
  void erase(const std::string& id);

  const Job* find(const std::string& id) const;  // null: it does not wait
  size_t size() const { return jobs_.size(); }
  // None is empty.
  const std::map<Kind, Line>& lines() const { return lines_; }
  const Line& of_bank(const std::string& bank) const;  // of all its kinds

 private:
  std::map<std::string, Job> jobs_;  // by id
  std::map<Kind, Line> lines_;
  std::map<std::string, Line> banks_;
};

}  // namespace prefixmem::scheduler
