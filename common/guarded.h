// Where an exception of a library ends: it crosses no thread, no RPC and no main().
#pragma once

#include <exception>
#include <string>

#include "common/status.h"

namespace prefixmem {

// `call` gives a Status or a Result; what it throws becomes INTERNAL.
template <typename Call>
auto guarded(Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return internal_error(error.what());
  }
}

}  // namespace prefixmem
