// JobSpec from and to its Protobuf form, by the same schema as YAML.
#pragma once

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem {

// Every key that has a value, defaults included; job_spec_from_proto gives the spec back.
v1::JobSpec job_spec_to_proto(const JobSpec& spec);

// Reads and validates as parse_job_spec does, with the same messages. An absent field takes the
// default. INVALID_ARGUMENT.
Result<JobSpec> job_spec_from_proto(const v1::JobSpec& message);

}  // namespace prefixmem
