#include "common/spec/utf8.h"

#include <cstddef>
#include <cstdint>

namespace prefixmem::spec {
namespace {

// Bytes of the sequence that `lead` begins; 0: none. The second byte must lie in [low, high].
int sequence_length(uint8_t lead, uint8_t& low, uint8_t& high) {
  low = 0x80;
  high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return 2;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  return lead < 0xF0 ? 3 : 4;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    uint8_t low = 0, high = 0;
    const int length = sequence_length(static_cast<uint8_t>(bytes[i]), low, high);
    if (length == 0 || i + static_cast<size_t>(length) > bytes.size()) return false;
    for (int k = 1; k < length; ++k) {
      const auto byte = static_cast<uint8_t>(bytes[i + static_cast<size_t>(k)]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    i += static_cast<size_t>(length);
  }
  return true;
}

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t cut = most;
  while (cut > 0 && (static_cast<uint8_t>(text[cut]) & 0xC0U) == 0x80U) --cut;
  return std::string(text.substr(0, cut)) + "…";
}

}  // namespace prefixmem::spec
