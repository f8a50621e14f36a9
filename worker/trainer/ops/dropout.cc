#include "worker/trainer/ops/dropout.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <type_traits>

#include "worker/trainer/ops/dropout_mask.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kElementsOfATask = int64_t{1} << 15;

struct Drop {
  uint64_t place;
  double p;
};

template <class T>
void drop_row(const T* x, T* y, int64_t columns, uint64_t row, double p) {
  using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const uint32_t threshold = dropout_threshold(p);
  const Wide scale = static_cast<Wide>(1 / (1 - p));
  for (int64_t j = 0; j < columns; ++j) {
    const bool kept = dropout_bits(row, static_cast<uint32_t>(j)) >= threshold;
    y[j] = static_cast<T>(kept ? static_cast<Wide>(x[j]) * scale : Wide{0});
  }
}

torch::Tensor drop_cpu(const torch::Tensor& x, const torch::Tensor& keys, const Drop& drop) {
  torch::Tensor y = at::empty_like(x);
  const int64_t columns = x.size(1);
  const int64_t grain = std::max<int64_t>(1, kElementsOfATask / std::max<int64_t>(1, columns));
  const auto* const key = keys.const_data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "dropout", [&] {
    const auto* const from = x.const_data_ptr<scalar_t>();
    auto* const to = y.mutable_data_ptr<scalar_t>();
    parallel_for(0, x.size(0), grain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const uint64_t row = static_cast<uint64_t>(key[t]) ^ drop.place;
        drop_row(from + t * columns, to + t * columns, columns, row, drop.p);
      }
    });
  });
  return y;
}

torch::Tensor drop(const torch::Tensor& x, const torch::Tensor& keys, const Drop& drop) {
  if (x.is_cpu()) return drop_cpu(x.contiguous(), keys, drop);
  const torch::Tensor rows = keys.bitwise_xor(static_cast<int64_t>(drop.place));
  return (x * (1 / (1 - drop.p))).masked_fill_(dropout_mask(rows, x.size(1), drop.p), 0);
}

class Dropout : public torch::autograd::Function<Dropout> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& keys, int64_t place, double p) {
    context->save_for_backward({keys});
    context->saved_data["place"] = place;
    context->saved_data["p"] = p;
    return drop(x, keys, {static_cast<uint64_t>(place), p});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Drop same{static_cast<uint64_t>(context->saved_data["place"].toInt()),
                    context->saved_data["p"].toDouble()};
    return {drop(gradients[0], context->get_saved_variables()[0], same), {}, {}, {}};
  }
};

}  // namespace

torch::Tensor dropout(const torch::Tensor& x, const torch::Tensor& keys, uint64_t place, double p) {
  return Dropout::apply(x, keys, static_cast<int64_t>(place), p);
}

}  // namespace prefixmem::trainer
