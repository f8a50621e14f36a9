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
#include <string>
#include <vector>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/model/safetensors.h"
#include "worker/trainer/model/safetensors_writer.h"
#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {

// What a run has to tell besides its parameters.
struct Progress {
  int64_t tokens = 0;
  double train_seconds = 0;  // in steps
  double wall_seconds = 0;   // all of it, over every attempt that led here
  double last_loss = 0;
  int64_t first_step = 0;  // of another job's checkpoint that it went on from
  std::vector<EvalEvent> evals;
};

struct CheckpointInfo {
  int64_t step = 0;
  std::string fingerprint;
  std::string spec_yaml;
  std::string data_digest;
  Progress progress;
};

// Writes a checkpoint tensor by tensor: none is held longer than it takes to write it. Whole or not
// at all, and durable. Collective: rank 0 writes and gives what it wrote, with the digest of the
// state, or its failure; the others give nothing.
Result<SafetensorsWriter::Written> write_checkpoint(const std::filesystem::path& file,
                                                    const CheckpointInfo& info,
                                                    Optimizer& optimizer, const Collective& gang);

// Checks format and checksum. DATA_LOSS where anything is off, naming what.
Result<CheckpointInfo> read_checkpoint_info(const SafetensorsFile& file);

// Checks that the tensors of a checked file are those of these parameters. DATA_LOSS otherwise.
Status check_checkpoint_tensors(const SafetensorsFile& file,
                                const std::vector<Parameter>& parameters);

// Puts the state of a checked file back. Collective: rank 0 gives the file and what it says; on the
// others `file` may be null and `info` is set to rank 0's.
Status restore_checkpoint(const SafetensorsFile* file, CheckpointInfo& info, Optimizer& optimizer,
                          Collective& gang);

std::string step_name(int64_t step);  // "step-00000010"
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, int64_t step);
// Complete checkpoint files of a folder, newest first; [] where there is no folder.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);
// Removes all but the newest `keep`, and what interrupted writes left.
Status prune_checkpoints(const std::filesystem::path& folder, size_t keep);

}  // namespace prefixmem::trainer
