// The kernels of row_kernels.h for T = float and uint16_t. Included by isa.cc alone.
#pragma once

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::Feature;
using prefixmem::trainer::cpu::Gate;
using prefixmem::trainer::cpu::Rows;

template <class T>
void norm(Rows<const T> x, const float* factor, Rows<const T> residual, float eps, Rows<T> y,
          float* inverse, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    const T* const row = x.row(i);
    Floats squares = all(0);
    for_lanes(n, [&](auto read, auto) {
      const Floats value = read(row);
      squares += value * value;
    });
    inverse[i] = 1 / __builtin_sqrtf(sum_of(squares) / static_cast<float>(n) + eps);
    const Floats scale = all(inverse[i]);
    const T* const kept = residual.data == nullptr ? nullptr : residual.row(i);
    for_lanes(n, [&](auto read, auto write) {
      const Floats normed = read(row) * scale * read(factor);
      write(y.row(i), kept == nullptr ? normed : normed + read(kept));
    });
  }
}

template <class T>
void norm_backward(Rows<const T> gradient, Rows<const T> x, const float* factor,
                   const float* inverse, Rows<T> out, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    const Floats scale = all(inverse[i]);
    Floats products = all(0);
    for_lanes(n, [&](auto read, auto) {
      products += read(gradient.row(i)) * read(factor) * (read(x.row(i)) * scale);
    });
    const Floats along = all(sum_of(products) / static_cast<float>(n));
    for_lanes(n, [&](auto read, auto write) {
      const Floats normed = read(x.row(i)) * scale;
      write(out.row(i), (read(gradient.row(i)) * read(factor) - normed * along) * scale);
    });
  }
}

template <class T>
void rotate(Rows<const T> x, const float* cos, const float* sin, float sign, Rows<T> y,
            int64_t heads, int64_t n) {
  const int64_t half = n / 2;
  for (int64_t head = 0; head < heads; ++head) {
    const T *const low = x.row(head), *const high = low + half;
    T *const out_low = y.row(head), *const out_high = out_low + half;
    for_lanes(half, [&](auto read, auto write) {
      const Floats a = read(low), b = read(high), c = read(cos), s = read(sin) * sign;
      write(out_low, a * c - b * s);
      write(out_high, b * c + a * s);
    });
  }
}

// activation(x) = x / (1 + exp(-inner)), inner = x under silu, 2 √(2/π) (x + 0.044715 x³) under
// gelu; slope is inner's derivative.
struct Inner {
  Floats value, slope;
};

template <Gate kind>
PM_INLINE Inner inner_of(Floats x) {
  if constexpr (kind == Gate::kSilu) return {x, all(1)};
  const Floats square = x * x;
  return {x * (1.59576912F + 0.0713548163F * square), 1.59576912F + 0.214064449F * square};
}

struct Activated {
  Floats value, slope;
};

template <Gate kind>
PM_INLINE Activated activated(Floats x) {
  const Inner inner = inner_of<kind>(x);
  const Floats e = exp_of(-inner.value);
  const Floats share = 1 / (1 + e);
  return {x * share, share + x * share * (e * share) * inner.slope};
}

template <Gate kind, class T>
void gate_rows(Rows<const T> gate, Rows<const T> up, Rows<T> out, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    for_lanes(n, [&](auto read, auto write) {
      write(out.row(i), activated<kind>(read(gate.row(i))).value * read(up.row(i)));
    });
  }
}

template <Gate kind, class T>
void gate_rows_backward(Rows<const T> gradient, Rows<const T> gate, Rows<const T> up,
                        Rows<T> of_gate, Rows<T> of_up, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    for_lanes(n, [&](auto read, auto write) {
      const Activated active = activated<kind>(read(gate.row(i)));
      const Floats above = read(gradient.row(i));
      write(of_gate.row(i), above * read(up.row(i)) * active.slope);
      write(of_up.row(i), above * active.value);
    });
  }
}

template <class T>
void gate(Gate kind, Rows<const T> gate, Rows<const T> up, Rows<T> out, int64_t count, int64_t n) {
  if (kind == Gate::kSilu) return gate_rows<Gate::kSilu>(gate, up, out, count, n);
  gate_rows<Gate::kGeluTanh>(gate, up, out, count, n);
}

template <class T>
void gate_backward(Gate kind, Rows<const T> gradient, Rows<const T> gate, Rows<const T> up,
                   Rows<T> of_gate, Rows<T> of_up, int64_t count, int64_t n) {
  if (kind == Gate::kSilu) {
    return gate_rows_backward<Gate::kSilu>(gradient, gate, up, of_gate, of_up, count, n);
  }
  gate_rows_backward<Gate::kGeluTanh>(gradient, gate, up, of_gate, of_up, count, n);
}

template <class T>
void feature(Feature kind, Rows<const T> x, Rows<T> out, int64_t count, int64_t n) {
  const bool shifted = kind == Feature::kEluPlusOne;
  for (int64_t i = 0; i < count; ++i) {
    for_lanes(n, [&](auto read, auto write) {
      const Floats value = read(x.row(i));
      const Floats above = shifted ? value + 1 : value;
      const Floats below = shifted ? exp_of(value) : expm1_of(value);
      write(out.row(i), value > 0 ? above : below);
    });
  }
}

template <class T>
void feature_backward(Feature, Rows<const float> gradient, Rows<const T> x, Rows<T> out,
                      int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    for_lanes(n, [&](auto read, auto write) {
      const Floats value = read(x.row(i)), above = read(gradient.row(i));
      write(out.row(i), value > 0 ? above : above * exp_of(value));
    });
  }
}

}  // namespace
