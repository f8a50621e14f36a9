// Status from and to gRPC's: the only place that maps the codes.
#pragma once

#include <grpcpp/support/status.h>

#include "common/status.h"

namespace prefixmem {

grpc::Status to_grpc(const Status& status);

// Codes of gRPC that are not ours: DEADLINE_EXCEEDED and ABORTED are UNAVAILABLE (worth a retry),
// ALREADY_EXISTS, PERMISSION_DENIED and UNAUTHENTICATED are FAILED_PRECONDITION, OUT_OF_RANGE is
// INVALID_ARGUMENT, the rest INTERNAL.
Status from_grpc(const grpc::Status& status);

}  // namespace prefixmem
