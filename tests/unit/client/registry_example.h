// A benchmark of three rows that are made from a CSV file.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace prefixmem::client {

inline constexpr const char* kTiny = R"(
about: A tiny one
licence: none
source: https://example.org
splits:
  train:
    file: train.jsonl
    rows: 2
    sha256: 0000000000000000000000000000000000000000000000000000000000000000
    url: https://example.org/train.csv
  test:
    file: test.jsonl
    rows: 1
    sha256: 1111111111111111111111111111111111111111111111111111111111111111
    url: https://example.org/test.csv
original:
  format: csv
  fields:
    text: {from: text}
    label: {from: category, replace: {_: " "}}
spec:
  data:
    format: text_label
    template: "Q: {text}\nA:"
    few_shot: {per_class: 1}
  eval: {mode: label_likelihood, metric: accuracy}
)";

inline void write_benchmark(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

}  // namespace prefixmem::client
