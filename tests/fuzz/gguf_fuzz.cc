#include "tests/fuzz/outcome.h"
#include "worker/trainer/model/gguf_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto header = trainer::parse_gguf_header(fuzz::text_of(data, size));
  fuzz::require_clear(header.status());
  if (!header.ok()) return 0;
  for (const auto& [name, entry] : header->tensors) {
    fuzz::require(entry.begin < entry.end && entry.end <= size, "a tensor outside its file");
  }
  return 0;
}
