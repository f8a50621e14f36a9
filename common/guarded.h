// Where an exception of a library ends: it crosses no thread, no RPC and no main().
#pragma once

#include <exception>
#include <new>
#include <string>

#include "common/status.h"

namespace prefixmem {

// `call` gives a Status or a Result; what it throws becomes INTERNAL, or
// RESOURCE_EXHAUSTED where memory ran out.
template <typename Call>
auto guarded(Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("out of memory");
  } catch (const std::exception& error) {
    return internal_error(error.what());
  }
}

}  // namespace prefixmem
