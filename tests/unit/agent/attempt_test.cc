#include "worker/agent/attempt/attempt.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <stdexcept>

#include "tests/unit/agent/fake_store.h"
#include "tests/unit/agent/gang_script.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/attempt/bell.h"

namespace prefixmem::agent {
namespace {

Assignment assignment() {
  Assignment out;
  out.key = {"job-a", 1};
  out.job_name = "n";
  out.spec_yaml =
      "name: n\nmodel: /m\nmethod: lora\ndata: {train: t.jsonl}\ntrain: {max_steps: 3}\n";
  out.ranks = 2;
  return out;
}

// Its end; none: not in time.
std::optional<AttemptEnd> await_end(Attempt& attempt, Bell& bell) {
  const MonotonicTime deadline = real_clock().monotonic() + Millis(60000);
  while (real_clock().monotonic() < deadline) {
    const auto report = attempt.next_report();
    if (!report) {
      bell.wait_until(deadline);
    } else if (const auto* end = std::get_if<AttemptEnd>(&report->body)) {
      return *end;
    }
  }
  return std::nullopt;
}

TEST(Attempt, WhatItsRelayThrowsIsItsEnd) {
  const TempFolder folder;
  const auto launcher = std::move(*make_launcher());
  prometheus::Registry registry;
  JobMetrics metrics(registry, "w", real_clock(), Millis(0));
  FakeStore store;
  AttemptOptions options;
  options.work_dir = folder.path() / "work";
  options.programs = {
      write_script(folder.path() / "mpirun", "Rank().log('runs'); wait_for_signals()"),
      "/bin/true"};
  const AttemptWorld world{std::move(options), real_clock(),
                           GangWorld{*launcher, [] { return MemoryReading(); }, {}}, store,
                           metrics};
  Bell bell;
  std::atomic<bool> broken = false;
  Attempt attempt(assignment(), {}, world, [&] {
    if (!broken.exchange(true)) throw std::runtime_error("the bell has no clapper");
    bell.ring();
  });
  const auto end = await_end(attempt, bell);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->status.to_string(), "INTERNAL: the bell has no clapper");
}

}  // namespace
}  // namespace prefixmem::agent
