// LibTorch's elementwise functions on CPUs.
#pragma once

namespace prefixmem::trainer {

// Has MKL choose its kernel of each function that LibTorch hands to it, in one thread; once in a
// process. MKL chooses at a function's first call, and where two threads make that call together
// one of them may be given another processor's fast and inexact kernel: of cos it was seen 4e-4
// away, for half a tensor (pytorch/pytorch#188792).
void settle_math_library();

}  // namespace prefixmem::trainer
