// Adapters made from their folder alone, without their job.
#pragma once

#include <filesystem>
#include <memory>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// The folder holds no adapter but a whole model, trained in full or merged.
bool holds_whole_model(const std::filesystem::path& folder);

// Ours or PEFT's (LoRA, Prefix-Tuning: the plain prefix that such a folder holds), from
// adapter_config.json alone: make_adapter of it takes the folder's load(), which checks the rest.
// NOT_FOUND or DATA_LOSS, with the file; INVALID_ARGUMENT where it names no method of ours.
Result<MethodSpec> stored_method(const std::filesystem::path& folder);

// An adapter of that method with the folder's values, for `model`, which must outlive it. Errors
// also as make_adapter and Adapter::load.
Result<std::unique_ptr<Adapter>> load_stored_adapter(const std::filesystem::path& folder,
                                                     const MethodSpec& method, Decoder& model);

}  // namespace prefixmem::trainer
