// Every key of the schema as data, for `explain`, the documentation and tests.
#pragma once

#include <string>
#include <vector>

namespace prefixmem::spec {

struct KeyInfo {
  std::string path;        // "method.r"
  std::string union_type;  // "lora" where the key belongs to one alternative of a union
  std::string allowed;     // "a whole number of at least 1"
  std::string fallback;    // the default as YAML; empty for maps of keys and optional ones
  std::string doc;
  bool optional = false;  // may be absent and then has no value
  // "required", "required unless method is none"; empty: it need not be given.
  std::string required = {};
  bool section = false;  // has keys of its own
};

// In the order of the schema, a section before its keys.
std::vector<KeyInfo> schema_keys();

}  // namespace prefixmem::spec
