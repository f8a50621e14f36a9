// pmt-worker: offers this host's slots to a coordinator and runs its jobs.
#include <cstdio>

#include "common/guarded.h"
#include "worker/agent/agent.h"
#include "worker/agent/options.h"

int main(int argc, char** argv) {
  using namespace prefixmem;
  const auto parsed = agent::parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  const Status status = guarded([&] { return agent::run_agent(*parsed.options); });
  if (!status.ok()) std::fprintf(stderr, "pmt-worker: %s\n", status.message().c_str());
  return exit_code(status);
}
