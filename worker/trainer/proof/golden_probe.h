// golden_probe.json: last-token logits of a few sequences with an adapter and without it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {

struct GoldenProbe {
  struct Sequence {
    std::vector<int32_t> ids;
    std::vector<int64_t> top_ids;       // the largest logits of either model
    std::vector<double> base, adapted;  // at top_ids
  };

  std::string base_model;
  std::string dtype;           // bf16 or fp32
  std::string adapter_digest;  // weights_digest() of the folder
  std::vector<Sequence> sequences;
};

// Sequences of ids below `vocab_size`, the same for every job: they say nothing about its data.
std::vector<std::vector<int32_t>> probe_sequences(int64_t vocab_size);

std::vector<std::vector<int32_t>> sequences_of(const GoldenProbe& probe);

// Logits that follow each sequence: fp32 [sequences, vocab] on the CPU. `adapter` may be null.
torch::Tensor probe_logits(Decoder& model, Adapter* adapter,
                           const std::vector<std::vector<int32_t>>& sequences);

// From both models' probe_logits() of probe_sequences().
std::vector<GoldenProbe::Sequence> probe_of(const torch::Tensor& base,
                                            const torch::Tensor& adapted);

// SHA-256 of the folder's weight files: its own *.safetensors by name, or those of the parts that
// its adapter_config.json lists, in that order. NOT_FOUND where there is none.
Result<std::string> weights_digest(const std::filesystem::path& folder);

Status write_probe(const std::filesystem::path& folder, const GoldenProbe& probe);
// NOT_FOUND, or DATA_LOSS where it is damaged or its digest is not that of the folder's weights.
Result<GoldenProbe> read_probe(const std::filesystem::path& folder);

}  // namespace prefixmem::trainer
