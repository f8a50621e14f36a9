// The method that an adapter's folder was written by, so that it can be made without its job.
#pragma once

#include <filesystem>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

// Ours or PEFT's (LoRA, Prefix-Tuning: the plain prefix that such a folder holds), from
// adapter_config.json alone: make_adapter of it takes the folder's load(), which checks the rest.
// NOT_FOUND or DATA_LOSS, with the file; INVALID_ARGUMENT where it names no method of ours.
Result<MethodSpec> stored_method(const std::filesystem::path& folder);

}  // namespace prefixmem::trainer
