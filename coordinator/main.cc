// pmt-coordinator: the service that takes jobs and places them on workers.
#include <cstdio>

#include "common/guarded.h"
#include "coordinator/options.h"

int main(int argc, char** argv) {
  using namespace prefixmem;
  const auto parsed = parse_options(argc, argv);
  if (!parsed.options && !parsed.token && !parsed.restore) return parsed.exit_code;
  const Status status = guarded([&] {
    if (parsed.token) return make_first_token(*parsed.token);
    return parsed.restore ? restore(*parsed.restore) : run_service(*parsed.options);
  });
  if (!status.ok()) std::fprintf(stderr, "pmt-coordinator: %s\n", status.message().c_str());
  return exit_code(status);
}
