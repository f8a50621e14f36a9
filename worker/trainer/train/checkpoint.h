// The state of a run as one safetensors file, DIR/checkpoints/step-00000010.safetensors.
//
// Tensors: "adapter.<name>", "exp_avg.<name>", "exp_avg_sq.<name>" for each trained parameter,
// fp32. Metadata (strings): format, step, fingerprint, spec (the whole spec as YAML), data_digest,
// progress (JSON: sums and evaluations so far) and sha256 of the data region. The position in the
// data is the step (Sampler), and random numbers are counter-based on (train.seed, step), so
// nothing else is needed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {

// What a run has to tell besides its parameters.
struct Progress {
  int64_t tokens = 0;
  double train_seconds = 0;  // in steps
  double wall_seconds = 0;   // all of it, over every attempt that led here
  double last_loss = 0;
  std::vector<EvalEvent> evals;
};

struct CheckpointInfo {
  int64_t step = 0;
  std::string fingerprint;
  std::string spec_yaml;
  std::string data_digest;
  Progress progress;
};

// A whole checkpoint as bytes.
std::string serialize_checkpoint(const CheckpointInfo& info, std::vector<Parameter>& parameters,
                                 Trainer& trainer);

// Checks format, sizes and checksum. DATA_LOSS where anything is off, naming what.
Result<CheckpointInfo> read_checkpoint_info(const std::string& bytes);

// Puts the tensors of checked bytes back. DATA_LOSS where they are not this adapter's.
Status restore_checkpoint(const std::string& bytes, std::vector<Parameter>& parameters,
                          Trainer& trainer);

std::filesystem::path checkpoint_path(const std::filesystem::path& folder, int64_t step);
// Complete checkpoint files of a folder, newest first; [] where there is no folder.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);
// Removes all but the newest `keep`, and what interrupted writes left.
Status prune_checkpoints(const std::filesystem::path& folder, size_t keep);

}  // namespace prefixmem::trainer
