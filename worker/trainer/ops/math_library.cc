#include "worker/trainer/ops/math_library.h"

#include <ATen/ATen.h>

#include <mutex>

namespace prefixmem::trainer {

void settle_math_library() {
  static std::once_flag settled;
  std::call_once(settled, [] {
    const at::NoGradGuard no_grad;
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor x = at::full({32}, 0.5, type);  // too few for a second thread
      // Those that ATen/cpu/vml.h hands to MKL.
      for (const auto function :
           {at::acos, at::asin, at::atan, at::cos, at::erf, at::erfc, at::erfinv, at::exp, at::log,
            at::log10, at::log2, at::sin, at::sqrt, at::tan, at::tanh, at::trunc}) {
        function(x);
      }
    }
  });
}

}  // namespace prefixmem::trainer
