// What the tests assign.
#pragma once

#include "worker/agent/attempt/assignment.h"

namespace prefixmem::agent {

inline constexpr const char* kSpecYaml =
    "name: n\nmodel: /m\nmethod: lora\ndata: {train: t.jsonl}\ntrain: {max_steps: 3}\n";

inline Assignment assigned(const AttemptKey& key) {
  Assignment out;
  out.key = key;
  out.job_name = "n";
  out.spec_yaml = kSpecYaml;
  return out;
}

}  // namespace prefixmem::agent
