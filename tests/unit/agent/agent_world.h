// What attempts share, for tests of those who run attempts.
#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/unit/agent/fake_content.h"
#include "tests/unit/agent/fake_store.h"
#include "tests/unit/agent/gang_script.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/attempt/attempt.h"

namespace prefixmem::agent {

inline int64_t last_number(const EventBatch& batch) {
  return batch.first_number + static_cast<int64_t>(batch.events.size()) - 1;
}

class AgentWorldTest : public testing::Test {
 protected:
  // `script`: what gangs do.
  AttemptOptions options_for(const std::string& script) const {
    AttemptOptions options;
    options.work_dir = folder_.path() / "work";
    options.programs = {write_script(folder_.path() / "mpirun", script), "/bin/true", {}};
    return options;
  }
  AttemptWorld world_with(AttemptOptions options) {
    return {std::move(options),
            real_clock(),
            GangWorld{*launcher_, [] { return MemoryReading(); }, {}, "here"},
            store_,
            inputs_,
            job_metrics_};
  }

  const TempFolder folder_;
  const std::unique_ptr<Launcher> launcher_ = std::move(*make_launcher());
  prometheus::Registry registry_;
  JobMetrics job_metrics_{registry_, "w", real_clock(), Millis(0)};
  FakeStore store_;
  FakeContent content_;
  const std::unique_ptr<ContentCache> cache_ =
      std::move(*ContentCache::open({folder_.path() / "content", 1 << 20}));
  const Inputs inputs_{*cache_, content_, {.backoff = {Millis(1), Millis(1)}}};
};

}  // namespace prefixmem::agent
