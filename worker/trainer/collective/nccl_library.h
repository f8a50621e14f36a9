// NCCL's calls, loaded at run time: only gangs on GPUs want them, and with them comes LibTorch for
// CUDA.
#pragma once

#include <nccl.h>

#include "common/status.h"

namespace prefixmem::trainer {

struct NcclLibrary {
  // FAILED_PRECONDITION where it is not there or lacks a call.
  static Result<NcclLibrary> load();

  decltype(&ncclGetErrorString) get_error_string = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRank) comm_init_rank = nullptr;
  decltype(&ncclCommDestroy) comm_destroy = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclReduceScatter) reduce_scatter = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
};

}  // namespace prefixmem::trainer
