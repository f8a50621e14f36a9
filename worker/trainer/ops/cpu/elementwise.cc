#include "worker/trainer/ops/cpu/elementwise.h"

#include <ATen/ATen.h>

#include "worker/trainer/ops/cpu/tensors.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer::cpu {
namespace {

Gate kind_of(Activation activation) {
  return activation == Activation::kSilu ? Gate::kSilu : Gate::kGeluTanh;
}

// body(T(), first, count) over the rows of tensors like x [rows, n], shared out over the threads.
template <class Body>
void over_rows(const torch::Tensor& x, const Body& body) {
  with_element(x.scalar_type(), [&](auto element) {
    parallel_for(0, x.size(0), rows_per_thread(x.size(1)),
                 [&](int64_t begin, int64_t end) { body(element, begin, end - begin); });
  });
}

torch::Tensor empty_rows(const torch::Tensor& rows) {
  return at::empty(rows.sizes(), rows.options());
}

}  // namespace

Normed norm(const torch::Tensor& x, const torch::Tensor& factor, double eps,
            const torch::Tensor& residual) {
  const torch::Tensor in = as_rows(x);
  const torch::Tensor added = residual.defined() ? as_rows(residual) : residual;
  const torch::Tensor out = empty_rows(in);
  const torch::Tensor inverse = at::empty({in.size(0)}, in.options().dtype(at::kFloat));
  over_rows(in, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    const Rows<const T> plus = added.defined() ? rows_of<const T>(added) : Rows<const T>{};
    row_kernels<T>().norm(from(rows_of<const T>(in), first), factor.data_ptr<float>(),
                          from(plus, first), static_cast<float>(eps), from(rows_of<T>(out), first),
                          inverse.data_ptr<float>() + first, count, in.size(1));
  });
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = 1;
  return {out.view(x.sizes()), inverse.view(shape)};
}

torch::Tensor norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                            const torch::Tensor& factor, const torch::Tensor& inverse) {
  const torch::Tensor in = as_rows(x), above = as_rows(gradient);
  const torch::Tensor out = empty_rows(in);
  over_rows(in, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    row_kernels<T>().norm_backward(from(rows_of<const T>(above), first),
                                   from(rows_of<const T>(in), first), factor.data_ptr<float>(),
                                   inverse.data_ptr<float>() + first, from(rows_of<T>(out), first),
                                   count, in.size(1));
  });
  return out.view(x.sizes());
}

torch::Tensor rotate(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sin,
                     float sign) {
  const torch::Tensor in = without_gaps(x);
  const int64_t heads = x.size(1), n = x.size(2);
  const torch::Tensor out = at::empty(x.sizes(), x.options());
  with_element(x.scalar_type(), [&](auto element) {
    using T = decltype(element);
    parallel_for(0, x.size(0), rows_per_thread(heads * n), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        row_kernels<T>().rotate(
            {static_cast<const T*>(in.data_ptr()) + t * in.stride(0), in.stride(1)},
            cos.data_ptr<float>() + t * (n / 2), sin.data_ptr<float>() + t * (n / 2), sign,
            {static_cast<T*>(out.data_ptr()) + t * heads * n, n}, heads, n);
      }
    });
  });
  return out;
}

torch::Tensor gate(const torch::Tensor& gate, const torch::Tensor& up, Activation activation) {
  const torch::Tensor opened = as_rows(gate), passed = as_rows(up);
  const torch::Tensor out = empty_rows(opened);
  over_rows(opened, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    row_kernels<T>().gate(kind_of(activation), from(rows_of<const T>(opened), first),
                          from(rows_of<const T>(passed), first), from(rows_of<T>(out), first),
                          count, opened.size(1));
  });
  return out.view(gate.sizes());
}

GateGradients gate_backward(const torch::Tensor& gradient, const torch::Tensor& gate,
                            const torch::Tensor& up, Activation activation) {
  const torch::Tensor above = as_rows(gradient), opened = as_rows(gate), passed = as_rows(up);
  const torch::Tensor of_gate = empty_rows(opened), of_up = empty_rows(opened);
  over_rows(opened, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    row_kernels<T>().gate_backward(
        kind_of(activation), from(rows_of<const T>(above), first),
        from(rows_of<const T>(opened), first), from(rows_of<const T>(passed), first),
        from(rows_of<T>(of_gate), first), from(rows_of<T>(of_up), first), count, opened.size(1));
  });
  return {of_gate.view(gate.sizes()), of_up.view(gate.sizes())};
}

torch::Tensor feature(const torch::Tensor& x, Feature kind) {
  const torch::Tensor in = as_rows(x);
  const torch::Tensor out = empty_rows(in);
  over_rows(in, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    row_kernels<T>().feature(kind, from(rows_of<const T>(in), first), from(rows_of<T>(out), first),
                             count, in.size(1));
  });
  return out.view(x.sizes());
}

torch::Tensor feature_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                               Feature kind) {
  const torch::Tensor in = as_rows(x), above = as_rows(gradient);
  const torch::Tensor out = empty_rows(in);
  over_rows(in, [&](auto element, int64_t first, int64_t count) {
    using T = decltype(element);
    row_kernels<T>().feature_backward(kind, from(rows_of<const float>(above), first),
                                      from(rows_of<const T>(in), first),
                                      from(rows_of<T>(out), first), count, in.size(1));
  });
  return out.view(x.sizes());
}

}  // namespace prefixmem::trainer::cpu
