// From a file as it was published to rows of JSON Lines.
#pragma once

#include <string>
#include <string_view>

#include "client/benchmarks/benchmark.h"
#include "common/status.h"

namespace prefixmem::client {

// The rows of `body`, from which the benchmark's `splits` are made, one or several: those that
// match `where`, shuffled, and of them each split's `take`, with the fields of `original`. As
// Python's json.dumps(row, ensure_ascii=False) writes them, a line each; a text for each split. A
// field is text, a number's decimal text, or a list under `each`. With `per` the rows of each of
// its values (numbers by size, then texts) are shuffled by themselves and `take` counts among
// them; what a split has taken is shuffled again, split after split, by the same random numbers.
// DATA_LOSS where the file is not in the form that `original` says.
Result<std::vector<std::string>> convert_original(std::string_view body, const Original& original,
                                                  const std::vector<const Split*>& splits);

}  // namespace prefixmem::client
