// A job's spec, as `pmt submit` sends it.
#include "common/spec/spec_io.h"
#include "tests/fuzz/outcome.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto spec = parse_job_spec(fuzz::text_of(data, size));
  fuzz::require_clear(spec.status());
  if (!spec.ok()) return 0;
  const std::string yaml = to_yaml(*spec);
  const auto again = parse_job_spec(yaml);
  fuzz::require_clear(again.status());
  fuzz::require(again.ok() && to_yaml(*again) == yaml, "what is written is read as another");
  return 0;
}
