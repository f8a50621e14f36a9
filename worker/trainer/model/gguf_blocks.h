// The values of quantised blocks, equal bit for bit to those of the gguf Python package.
#pragma once

#include <cstdint>

namespace prefixmem::trainer {

// One block of bytes to fp32 values. A scale times an integer is exact in fp32 throughout, so that
// only the subtraction or addition of a minimum rounds, with or without fused multiply-add.
using DequantizeBlock = void (*)(const uint8_t* block, float* values);

// 32 values a block.
void dequantize_q4_0(const uint8_t* block, float* values);  // 18 bytes
void dequantize_q4_1(const uint8_t* block, float* values);  // 20
void dequantize_q5_0(const uint8_t* block, float* values);  // 22
void dequantize_q5_1(const uint8_t* block, float* values);  // 24
void dequantize_q8_0(const uint8_t* block, float* values);  // 34
// 256 values a block.
void dequantize_q2_k(const uint8_t* block, float* values);  // 84
void dequantize_q3_k(const uint8_t* block, float* values);  // 110
void dequantize_q4_k(const uint8_t* block, float* values);  // 144
void dequantize_q5_k(const uint8_t* block, float* values);  // 176
void dequantize_q6_k(const uint8_t* block, float* values);  // 210

}  // namespace prefixmem::trainer
