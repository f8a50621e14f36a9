#include "worker/trainer/model/gguf_types.h"

#include <algorithm>
#include <iterator>

namespace prefixmem::trainer {
namespace {

using c10::ScalarType;

constexpr GgufType kTypes[] = {{0, "F32", 1, 4, ScalarType::Float},
                               {1, "F16", 1, 2, ScalarType::Half},
                               {30, "BF16", 1, 2, ScalarType::BFloat16},
                               {2, "Q4_0", 32, 18, {}, dequantize_q4_0},
                               {3, "Q4_1", 32, 20, {}, dequantize_q4_1},
                               {6, "Q5_0", 32, 22, {}, dequantize_q5_0},
                               {7, "Q5_1", 32, 24, {}, dequantize_q5_1},
                               {8, "Q8_0", 32, 34, {}, dequantize_q8_0},
                               {10, "Q2_K", 256, 84, {}, dequantize_q2_k},
                               {11, "Q3_K", 256, 110, {}, dequantize_q3_k},
                               {12, "Q4_K", 256, 144, {}, dequantize_q4_k},
                               {13, "Q5_K", 256, 176, {}, dequantize_q5_k},
                               {14, "Q6_K", 256, 210, {}, dequantize_q6_k},
                               // Known by name alone.
                               {9, "Q8_1", 32, 40, {}},
                               {15, "Q8_K", 256, 292, {}},
                               {16, "IQ2_XXS", 256, 66, {}},
                               {17, "IQ2_XS", 256, 74, {}},
                               {18, "IQ3_XXS", 256, 98, {}},
                               {19, "IQ1_S", 256, 50, {}},
                               {20, "IQ4_NL", 32, 18, {}},
                               {21, "IQ3_S", 256, 110, {}},
                               {22, "IQ2_S", 256, 82, {}},
                               {23, "IQ4_XS", 256, 136, {}},
                               {24, "I8", 1, 1, {}},
                               {25, "I16", 1, 2, {}},
                               {26, "I32", 1, 4, {}},
                               {27, "I64", 1, 8, {}},
                               {28, "F64", 1, 8, {}},
                               {29, "IQ1_M", 256, 56, {}},
                               {34, "TQ1_0", 256, 54, {}},
                               {35, "TQ2_0", 256, 66, {}},
                               {39, "MXFP4", 32, 17, {}},
                               {40, "NVFP4", 64, 36, {}},
                               {41, "Q1_0", 128, 18, {}}};

static_assert(std::all_of(std::begin(kTypes), std::end(kTypes), [](const GgufType& type) {
  return type.block_values <= kLargestGgufBlock;
}));

}  // namespace

const GgufType* find_gguf_type(uint32_t id) {
  const auto* const found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                         [&](const GgufType& type) { return type.id == id; });
  return found == std::end(kTypes) ? nullptr : found;
}

std::string supported_gguf_types() {
  std::string text;
  for (const GgufType& type : kTypes) {
    if (type.supported()) text += (text.empty() ? "" : ", ") + std::string(type.name);
  }
  return text;
}

}  // namespace prefixmem::trainer
