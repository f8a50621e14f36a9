// Jobs and sweeps by what people call them.
#pragma once

#include <string>

#include "common/status.h"
#include "coordinator/store/reader.h"

namespace prefixmem {

// By id, or by a name that only one has. NOT_FOUND; FAILED_PRECONDITION where several have it, with
// the newest of them.
Result<v1::Job> find_job(store::Reader& reader, const std::string& id_or_name);
Result<v1::Sweep> find_sweep(store::Reader& reader, const std::string& id_or_name);

// "job-1 (its name)".
std::string name_of(const v1::Job& job);

}  // namespace prefixmem
