// Sixteen fp32 numbers at a time, as a vector type of the compiler, which makes of it what the
// instruction set has. Included by isa.cc alone, once an instruction set: everything is inlined.
#pragma once

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = int32_t __attribute__((vector_size(64)));
using Shorts = uint16_t __attribute__((vector_size(32)));

#define PM_INLINE inline __attribute__((always_inline))

PM_INLINE Floats all(float x) { return Floats{} + x; }
PM_INLINE Floats as_floats(Ints x) { return reinterpret_cast<Floats>(x); }
PM_INLINE Ints as_ints(Floats x) { return reinterpret_cast<Ints>(x); }

template <class V, class T>
PM_INLINE V raw_load(const T* from) {
  V x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

template <class V, class T>
PM_INLINE void raw_store(T* to, V x) {
  std::memcpy(to, &x, sizeof x);
}

// uint16_t stands for bf16 throughout.
PM_INLINE Floats load(const float* from) { return raw_load<Floats>(from); }
PM_INLINE Floats load(const uint16_t* from) {
  return as_floats(__builtin_convertvector(raw_load<Shorts>(from), Ints) << 16);
}

PM_INLINE void store(float* to, Floats x) { raw_store(to, x); }
// Rounds to the nearest, ties to even; NaN stays NaN.
#ifdef __AVX512BF16__  // which makes 0 of what is below the smallest normal number
PM_INLINE void store(uint16_t* to, Floats x) {
  raw_store(to, _mm512_cvtneps_pbh(reinterpret_cast<__m512>(x)));
}
#else
PM_INLINE void store(uint16_t* to, Floats x) {
  const Ints bits = as_ints(x);
  const Ints rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Ints kept = x == x ? rounded : (rounded & 0) + 0x7fc0;
  raw_store(to, __builtin_convertvector(kept, Shorts));
}
#endif

// The last n < kLanes elements of a row; lanes behind them are 0 and not written.
template <class T>
PM_INLINE Floats load_part(const T* from, int64_t n) {
  T part[kLanes] = {};
  std::memcpy(part, from, n * sizeof(T));
  return load(part);
}

template <class T>
PM_INLINE void store_part(T* to, Floats x, int64_t n) {
  T part[kLanes];
  store(part, x);
  std::memcpy(to, part, n * sizeof(T));
}

// body(read, write, at) for each vector of a row of n: read(p) and write(p, x) touch p[at …].
template <class Body>
PM_INLINE void for_lanes(int64_t n, const Body& body) {
  int64_t at = 0;
  for (; at + kLanes <= n; at += kLanes) {
    body([at](const auto* p) { return load(p + at); },
         [at](auto* p, Floats x) { store(p + at, x); });
  }
  if (at == n) return;
  body([at, n](const auto* p) { return load_part(p + at, n - at); },
       [at, n](auto* p, Floats x) { store_part(p + at, x, n - at); });
}

PM_INLINE Floats sqrt_of(Floats x) {
  float root[kLanes];
  store(root, x);
  for (float& value : root) value = __builtin_sqrtf(value);
  return load(root);
}

PM_INLINE float sum_of(Floats x) {
  float sum[kLanes];
  store(sum, x);
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) sum[i] += sum[i + half];
  }
  return sum[0];
}

PM_INLINE float max_of(Floats x) {
  float most[kLanes];
  store(most, x);
  for (int64_t i = 1; i < kLanes; ++i) most[0] = most[i] > most[0] ? most[i] : most[0];
  return most[0];
}

// exp(x) = scale (1 + tail), tail = exp(r) - 1 for |r| <= ln 2 / 2, scale a power of two.
struct Exponential {
  Floats scale, tail;
};

PM_INLINE Exponential exponential(Floats x) {
  x = x < -87.0F ? all(-87.0F) : x;
  x = x > 88.0F ? all(88.0F) : x;
  const Floats magic = all(12582912.0F);  // 1.5 · 2^23: adding it rounds to a whole number
  const Floats shifted = x * 1.44269504F + magic;
  const Floats n = shifted - magic;
  const Floats r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Floats p = r * (1.0F / 5040) + (1.0F / 720);
  p = p * r + (1.0F / 120);
  p = p * r + (1.0F / 24);
  p = p * r + (1.0F / 6);
  p = p * r + 0.5F;
  return {as_floats((as_ints(shifted) - as_ints(magic) + 127) << 23), p * r * r + r};
}

// 0 below -87, and so for -infinity; exp(88) above 88.
PM_INLINE Floats exp_of(Floats x) {
  const Exponential e = exponential(x);
  return x < -87.0F ? all(0) : e.scale + e.scale * e.tail;
}

PM_INLINE Floats expm1_of(Floats x) {
  const Exponential e = exponential(x);
  return e.scale * e.tail + (e.scale - 1);
}

}  // namespace
