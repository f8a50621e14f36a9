#include "worker/trainer/model/gguf_metadata.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <string>
#include <type_traits>

#include "common/model/strict_json.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

constexpr size_t kLongestKey = 65535;  // as the format says
constexpr size_t kLongestText = 64 << 10;
constexpr uint64_t kLongestList = 4096;

constexpr uint64_t kMostPairs = 4096;

double shortest(float value) {
  if (!std::isfinite(value)) return value;
  char text[32];
  const char* const end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  double nearest = 0;
  std::from_chars(std::begin(text), end, nearest);
  return nearest;
}

template <typename T>
Result<json> read_number(ByteCursor& cursor) {
  PM_ASSIGN(const T value, cursor.number<T>());
  if constexpr (std::is_same_v<T, float>) return json(shortest(value));
  return json(value);
}

Result<json> read_bool(ByteCursor& cursor) {
  PM_ASSIGN(const auto value, cursor.number<uint8_t>());
  if (value > 1) return data_loss("a bool of it is " + std::to_string(value) + "; allowed: 0, 1");
  return json(value == 1);
}

Result<json> read_text(ByteCursor& cursor) {
  PM_ASSIGN(const std::string_view text, cursor.text());
  return text.size() > kLongestText ? json() : json(text);
}

// The type of a value, by its number in the format.
struct Type {
  uint64_t smallest;  // bytes of one value
  Result<json> (*read)(ByteCursor&);
};
constexpr uint32_t kList = 9;
constexpr Type kValueTypes[] = {{1, read_number<uint8_t>},
                                {1, read_number<int8_t>},
                                {2, read_number<uint16_t>},
                                {2, read_number<int16_t>},
                                {4, read_number<uint32_t>},
                                {4, read_number<int32_t>},
                                {4, read_number<float>},
                                {1, read_bool},
                                {8, read_text},
                                {12, nullptr},  // a list
                                {8, read_number<uint64_t>},
                                {8, read_number<int64_t>},
                                {8, read_number<double>}};

Result<Type> scalar_type(uint32_t number) {
  if (number < std::size(kValueTypes) && number != kList) return kValueTypes[number];
  return data_loss("its type is number " + std::to_string(number) +
                   "; allowed: the numbers, texts and lists of the format, no list in a list");
}

Result<json> read_list(ByteCursor& cursor) {
  PM_ASSIGN(const auto number, cursor.number<uint32_t>());
  PM_ASSIGN(const auto count, cursor.number<uint64_t>());
  PM_ASSIGN(const Type type, scalar_type(number));
  if (count > cursor.left() / type.smallest) return cursor.ended();
  json list = json::array();
  for (uint64_t i = 0; i < count; ++i) {
    PM_ASSIGN(json value, type.read(cursor));
    if (count <= kLongestList) list.push_back(std::move(value));
  }
  return count > kLongestList ? json() : list;
}

Result<json> read_value(ByteCursor& cursor) {
  PM_ASSIGN(const auto number, cursor.number<uint32_t>());
  if (number == kList) return read_list(cursor);
  PM_ASSIGN(const Type type, scalar_type(number));
  return type.read(cursor);
}

}  // namespace

Result<json> read_gguf_metadata(ByteCursor& cursor, uint64_t count) {
  if (count > kMostPairs) {
    return data_loss("it says that it has " + std::to_string(count) + " keys; allowed: at most " +
                     std::to_string(kMostPairs));
  }
  json pairs = json::object();
  for (uint64_t i = 0; i < count; ++i) {
    PM_ASSIGN(const std::string_view key, cursor.text());
    const std::string name(key);
    if (key.empty() || key.size() > kLongestKey) {
      return data_loss("a key of it has " + std::to_string(key.size()) + " bytes; allowed: 1 to " +
                       std::to_string(kLongestKey));
    }
    if (pairs.contains(name)) return data_loss("it holds key " + shown(name) + " twice");
    auto value = read_value(cursor);
    if (!value.ok()) return value.status().with_context("key " + shown(name));
    pairs[name] = std::move(*value);
  }
  return pairs;
}

}  // namespace prefixmem::trainer
