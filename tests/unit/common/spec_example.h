// The shortest valid spec, for tests to add to.
#pragma once

#include <string>

namespace prefixmem {

inline const std::string kMinimalSpec =
    "name: a\n"
    "model: /m\n"
    "data: {train: rows.jsonl}\n"
    "train: {max_steps: 1}\n";

}  // namespace prefixmem
