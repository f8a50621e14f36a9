// From a file as it was published to rows of JSON Lines.
#pragma once

#include <string>
#include <string_view>

#include "client/benchmarks/benchmark.h"
#include "common/status.h"

namespace prefixmem::client {

// The rows of `body` that match `where`, shuffled, those of the split's `take`, with the fields of
// `original`: as Python's json.dumps(row, ensure_ascii=False) writes them, a line each. A field is
// text, a number's decimal text, or a list under `each`. DATA_LOSS where the file is not in the
// form that `original` says.
Result<std::string> convert_original(std::string_view body, const Original& original,
                                     const Split& split);

}  // namespace prefixmem::client
