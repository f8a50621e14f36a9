#include "worker/trainer/adapters/initial_values.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "common/random.h"

namespace prefixmem::trainer {
namespace {

// value(64 random bits) of each element.
template <class Value>
torch::Tensor drawn(at::IntArrayRef shape, uint64_t seed, std::string_view name,
                    const Value& value) {
  torch::Tensor values = at::empty(shape, at::kFloat);
  const uint64_t key = text_key(name);
  auto* const data = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    data[i] = static_cast<float>(value(random_bits({seed, key, static_cast<uint64_t>(i)})));
  }
  return values;
}

}  // namespace

torch::Tensor uniform_values(at::IntArrayRef shape, double bound, uint64_t seed,
                             std::string_view name) {
  return drawn(shape, seed, name, [bound](uint64_t bits) {
    return (2 * static_cast<double>(bits >> 40) * 0x1p-24 - 1) * bound;
  });
}

// Box and Muller's transform of the two halves of the bits.
torch::Tensor normal_values(at::IntArrayRef shape, double deviation, uint64_t seed,
                            std::string_view name) {
  return drawn(shape, seed, name, [deviation](uint64_t bits) {
    const double radius = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32;
    const double turn = static_cast<double>(bits & 0xffffffffU) * 0x1p-32;
    return deviation * std::sqrt(-2 * std::log(radius)) * std::cos(2 * std::numbers::pi * turn);
  });
}

}  // namespace prefixmem::trainer
