// What all parts of a scenario share: chance, time, what was said, what must hold.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <optional>
#include <string>

#include "common/random.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/random.h"
#include "tests/simulation/timeline.h"

namespace prefixmem::simulation {

// A mistake that one part makes on purpose, to see that it is found.
enum class Sabotage {
  kNone,
  kDiskLies,                // a sync that syncs nothing
  kAgentTellsNothingAgain,  // what was not acknowledged is not told to the next stream
  kAgentSkipsAnEvent,       // of those that it tells again
  kAgentGoesOn,             // where it is to stop
  kAgentFreesEarly,         // a gang's last attempt ends before the gang is gone
  kAgentStartsAnew,         // at the first step, whatever it was given to resume from
  kAgentTellsStateLate,     // a checkpoint's digest after its upload, with the event
  kAgentSendsBestLate,      // a best adapter behind the checkpoints of the steps after it
};

// The unit of everything that takes its time: workers beat every 3 of them, are lost after 15.
using Pace = Millis;

class World {
 public:
  World(uint64_t seed, Sabotage sabotage) : random(seed), sabotage(sabotage), pace_(draw_pace()) {}

  // `low` to `high` units.
  Millis some(int64_t low, int64_t high) { return random.between(low * pace_, high * pace_); }
  Millis units(int64_t count) const { return count * pace_; }
  // Of a message that is not held up.
  Millis latency() {
    return random.chance(0.05) ? random.between(Millis(200), Millis(3000))
                               : random.between(Millis(1), Millis(40));
  }

  // Of what happens, so that replays can be compared.
  void mix(std::string_view what) { digest = random_bits({digest, text_key(what)}); }

  template <class... Values>
  void log(fmt::format_string<const Values&...> format, const Values&... values) {
    write(fmt::vformat(format, fmt::make_format_args(values...)));
  }
  // An invariant does not hold. The first that breaks ends the scenario.
  template <class... Values>
  void broken(fmt::format_string<const Values&...> format, const Values&... values) {
    if (violation) return;
    violation = fmt::vformat(format, fmt::make_format_args(values...));
    write("BROKEN: " + *violation);
  }

  Random random;
  Timeline timeline;
  Ledger ledger;
  const Sabotage sabotage;
  std::optional<std::string> violation;

  bool keep_all_lines = false;
  std::deque<std::string> lines;  // of the log, the last ones
  uint64_t digest = 0;            // of all lines, and all that the coordinator says

 private:
  static constexpr size_t kLinesKept = 60;

  // Seconds for scenarios of many events in short time, minutes for long ones.
  Pace draw_pace() {
    static const std::vector<Pace> kPaces = {Pace(1000), Pace(20'000), Pace(1'800'000)};
    return random.pick(kPaces);
  }
  void write(const std::string& what) {
    const double now = to_seconds(timeline.now().time_since_epoch());
    std::string line = fmt::format("{:>12.3f} {}", now, what);
    mix(line);
    lines.push_back(std::move(line));
    if (!keep_all_lines && lines.size() > kLinesKept) lines.pop_front();
  }

  const Pace pace_;
};

}  // namespace prefixmem::simulation
