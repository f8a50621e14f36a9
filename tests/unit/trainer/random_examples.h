// Examples that begin as others do at any depth.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "worker/trainer/data/example.h"

namespace prefixmem::trainer {

inline Example example_of(std::vector<int32_t> ids, int64_t prompt_tokens) {
  Example example;
  example.ids = std::move(ids);
  example.prompt_tokens = prompt_tokens;
  return example;
}

// As in a tree: some equal, some the beginning of another, labels within shared parts and without.
// Ids below 40.
class RandomExamples {
 public:
  explicit RandomExamples(uint32_t seed) : random_(seed) {}

  uint32_t draw(uint32_t below) { return random_() % below; }
  std::vector<Example> examples(int64_t count) {
    std::vector<Example> out;
    for (int64_t i = 0; i < count; ++i) {
      std::vector<int32_t> ids;
      if (!out.empty() && draw(4) > 0) {
        ids = out[draw(out.size())].ids;
        ids.resize(1 + draw(ids.size()));
      }
      grow(ids, (draw(8) > 0 ? draw(12) : 0) + (ids.size() < 3 ? 3 : 0));
      out.push_back(example_of(ids, 1 + draw(ids.size() - 1)));
    }
    return out;
  }
  // Chosen, rejected, chosen, …: the two of a pair share their prompt and sometimes more.
  std::vector<Example> pairs(int64_t count) {
    std::vector<Example> out;
    for (Example& chosen : examples(count)) {
      std::vector<int32_t> ids(chosen.ids.begin(), chosen.ids.begin() + chosen.prompt_tokens);
      if (draw(2) == 0) ids.push_back(chosen.ids[chosen.prompt_tokens]);
      grow(ids, 1 + draw(6));
      const int64_t prompt = chosen.prompt_tokens;
      out.push_back(std::move(chosen));
      out.push_back(example_of(ids, prompt));
    }
    return out;
  }

 private:
  void grow(std::vector<int32_t>& ids, uint32_t count) {
    for (; count > 0; --count) ids.push_back(static_cast<int32_t>(draw(40)));
  }

  std::mt19937 random_;
};

}  // namespace prefixmem::trainer
