#include "worker/trainer/model/gguf_blocks.h"

#include <c10/util/Half.h>

#include <cstring>

namespace prefixmem::trainer {
namespace {

constexpr int kSmall = 32;   // values of a block of the older types
constexpr int kSuper = 256;  // of a K type

float half_at(const uint8_t* bytes) {
  uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return c10::detail::fp16_ieee_to_fp32_value(bits);
}

// 4-bit values: those of the first half in the low bits, those of the second in the high ones.
int nibble(const uint8_t* packed, int i) {
  const int half = kSmall / 2;
  return i < half ? packed[i] & 0xF : packed[i - half] >> 4;
}

// 5-bit values: a word of top bits, then nibbles.
int five_bits(const uint8_t* packed, int i) {
  uint32_t top = 0;
  std::memcpy(&top, packed, sizeof top);
  return nibble(packed + sizeof top, i) | static_cast<int>(top >> i & 1) << 4;
}

struct ScaleAndMinimum {
  int scale, minimum;
};

// Of the 32 values number `group` of 8, both of 6 bits, packed in 12 bytes.
ScaleAndMinimum six_bits(const uint8_t* packed, int group) {
  if (group < 4) return {packed[group] & 0x3F, packed[group + 4] & 0x3F};
  const int low = packed[group + 4];
  return {(low & 0xF) | (packed[group - 4] >> 6) << 4, low >> 4 | (packed[group] >> 6) << 4};
}

// Q3_K's scale of the 16 values number `group` of 16: 6 bits around 32, packed in 12 bytes.
int q3_scale(const uint8_t* packed, int group) {
  const int low = group < 8 ? packed[group] & 0xF : packed[group - 8] >> 4;
  const int high = packed[8 + group % 4] >> (2 * (group / 4)) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

void dequantize_q4_0(const uint8_t* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < kSmall; ++i) values[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void dequantize_q4_1(const uint8_t* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) values[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void dequantize_q5_0(const uint8_t* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < kSmall; ++i) values[i] = d * static_cast<float>(five_bits(block + 2, i) - 16);
}

void dequantize_q5_1(const uint8_t* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) values[i] = d * static_cast<float>(five_bits(block + 4, i)) + m;
}

void dequantize_q8_0(const uint8_t* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
  }
}

// 16 scales and minima of 4 bits, 64 bytes of 2-bit values, d, dmin.
void dequantize_q2_k(const uint8_t* block, float* values) {
  const uint8_t* const packed = block + 16;
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int i = 0; i < kSuper; ++i) {
    const int q = packed[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    const float scale = d * static_cast<float>(block[i / 16] & 0xF);
    const float minimum = dmin * static_cast<float>(block[i / 16] >> 4);
    values[i] = scale * static_cast<float>(q) - minimum;
  }
}

// 32 bytes of inverted top bits, 64 bytes of 2-bit values, 12 bytes of scales, d.
void dequantize_q3_k(const uint8_t* block, float* values) {
  const uint8_t* const packed = block + 32;
  const float d = half_at(block + 108);
  for (int i = 0; i < kSuper; ++i) {
    const int low = packed[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    const int offset = (block[i % 32] >> (i / 32) & 1) != 0 ? 0 : 4;
    const float scale = d * static_cast<float>(q3_scale(block + 96, i / 16));
    values[i] = scale * static_cast<float>(low - offset);
  }
}

// d, dmin, 12 bytes of scales and minima, 128 bytes of 4-bit values.
void dequantize_q4_k(const uint8_t* block, float* values) {
  const float d = half_at(block), dmin = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const auto [scale, minimum] = six_bits(block + 4, group);
    const uint8_t* const packed = block + (16 + group / 2 * 32);
    const float step = d * static_cast<float>(scale);
    const float offset = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      values[group * 32 + i] =
          step * static_cast<float>(packed[i] >> (4 * (group % 2)) & 0xF) - offset;
    }
  }
}

// d, dmin, 12 bytes of scales and minima, 32 bytes of top bits, 128 bytes of 4-bit values.
void dequantize_q5_k(const uint8_t* block, float* values) {
  const float d = half_at(block), dmin = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const auto [scale, minimum] = six_bits(block + 4, group);
    const uint8_t* const top = block + 16;
    const uint8_t* const packed = block + (48 + group / 2 * 32);
    const float step = d * static_cast<float>(scale);
    const float offset = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      const int q = (packed[i] >> (4 * (group % 2)) & 0xF) | (top[i] >> group & 1) << 4;
      values[group * 32 + i] = step * static_cast<float>(q) - offset;
    }
  }
}

// 128 bytes of 4-bit values, 64 bytes of the two top bits, 16 scales of 8 bits, d.
void dequantize_q6_k(const uint8_t* block, float* values) {
  const uint8_t* const top = block + 128;
  const float d = half_at(block + 208);
  for (int i = 0; i < kSuper; ++i) {
    const int low = block[i / 128 * 64 + i % 64] >> (4 * (i / 64 % 2)) & 0xF;
    const int high = top[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    values[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

}  // namespace prefixmem::trainer
