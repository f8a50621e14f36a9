// Turns exceptions into a Status: none crosses a thread's end.
#pragma once

#include <exception>
#include <new>

#include "common/status.h"

namespace prefixmem::agent {

template <typename Work>
Status guarded(Work&& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("the worker agent is out of memory");
  } catch (const std::exception& error) {
    return internal_error(std::string("worker agent: ") + error.what());
  }
}

}  // namespace prefixmem::agent
