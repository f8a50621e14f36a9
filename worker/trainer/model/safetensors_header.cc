#include "worker/trainer/model/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "common/model/strict_json.h"

namespace prefixmem::trainer {
namespace {

using c10::ScalarType;
using nlohmann::json;

constexpr uint64_t kMaxHeaderLength = 100'000'000;  // as the reference reader
constexpr int kMaxDepth = 3;                        // header, tensor, shape
constexpr size_t kMaxDimensions = 64;

constexpr std::pair<std::string_view, ScalarType> kDtypes[] = {
    {"F32", ScalarType::Float},
    {"BF16", ScalarType::BFloat16},
    {"F16", ScalarType::Half},
    {"F64", ScalarType::Double},
    {"I64", ScalarType::Long},
    {"I32", ScalarType::Int},
    {"I16", ScalarType::Short},
    {"I8", ScalarType::Char},
    {"U8", ScalarType::Byte},
    {"U16", ScalarType::UInt16},
    {"U32", ScalarType::UInt32},
    {"U64", ScalarType::UInt64},
    {"BOOL", ScalarType::Bool},
    {"F8_E4M3", ScalarType::Float8_e4m3fn},
    {"F8_E5M2", ScalarType::Float8_e5m2}};

std::optional<ScalarType> dtype_of(const json& name) {
  for (const auto& [text, dtype] : kDtypes) {
    if (name == text) return dtype;
  }
  return std::nullopt;
}

bool is_count(const json& value) {
  return value.is_number_unsigned() &&
         value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
}

bool is_list_of_counts(const json& entry, const char* key) {
  const auto list = entry.find(key);
  return list != entry.end() && list->is_array() &&
         std::all_of(list->begin(), list->end(), is_count);
}

// Bytes of a shape, or none where they overflow. A tensor without elements has 0.
std::optional<uint64_t> bytes_of(const SafetensorsEntry& entry) {
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  if (empty) return 0;
  uint64_t bytes = c10::elementSize(entry.dtype);
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  }
  return bytes;
}

// Offsets are within the data here; parse_safetensors_header makes them those of the file.
Result<SafetensorsEntry> parse_entry(const json& entry) {
  SafetensorsEntry parsed;
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !is_list_of_counts(entry, "shape") || !is_list_of_counts(entry, "data_offsets") ||
      entry["data_offsets"].size() != 2 || entry["shape"].size() > kMaxDimensions) {
    return data_loss("its entry is " + shown(entry) +
                     "; allowed: dtype, shape and two data_offsets, and nothing else");
  }
  const auto dtype = dtype_of(entry["dtype"]);
  if (!dtype) return data_loss("its dtype " + shown(entry["dtype"]) + " is not known");
  parsed.dtype = *dtype;
  parsed.shape = entry["shape"].get<std::vector<int64_t>>();
  parsed.begin = entry["data_offsets"][0];
  parsed.end = entry["data_offsets"][1];
  const auto bytes = bytes_of(parsed);
  if (parsed.end < parsed.begin || bytes != parsed.end - parsed.begin) {
    return data_loss("its data_offsets " + shown(entry["data_offsets"]) + " do not hold a " +
                     entry["dtype"].get<std::string>() + " tensor of shape " +
                     shown(entry["shape"]));
  }
  return parsed;
}

Result<std::map<std::string, std::string>> parse_metadata(const json& object) {
  std::map<std::string, std::string> metadata;
  if (!object.is_object()) return data_loss("its __metadata__ is no object");
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) return data_loss("its __metadata__." + key + " is no text");
    metadata[key] = value;
  }
  return metadata;
}

// `data_size`: bytes behind the header.
Status check_layout(const SafetensorsHeader& header, uint64_t data_size) {
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (const auto& [name, entry] : header.tensors) order.emplace_back(entry.begin, &name);
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return std::pair(a.first, header.tensors.at(*a.second).end) <
           std::pair(b.first, header.tensors.at(*b.second).end);
  });
  uint64_t end = 0;
  for (const auto& [begin, name] : order) {
    if (begin != end) {
      return data_loss("its tensor " + *name + " begins at byte " + std::to_string(begin) +
                       " of the data, where the one before it ends at " + std::to_string(end));
    }
    end = header.tensors.at(*name).end;
  }
  if (end == data_size) return {};
  if (end > std::numeric_limits<uint64_t>::max() - header.data_begin) {
    return data_loss("its tensors end at byte " + std::to_string(end) + " of the data");
  }
  return data_loss("it holds " + std::to_string(header.data_begin + data_size) +
                   " bytes where its header says " + std::to_string(header.data_begin + end) +
                   (end > data_size ? "; it is cut short" : ""));
}

Result<std::string_view> header_text(std::string_view bytes) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    return data_loss("it holds " + std::to_string(bytes.size()) +
                     " bytes, too few for a safetensors file");
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderLength) {
    return data_loss("it begins with a header length of " + std::to_string(length) +
                     " bytes; allowed: at most " + std::to_string(kMaxHeaderLength));
  }
  if (length > bytes.size() - sizeof length) {
    return data_loss("it holds " + std::to_string(bytes.size()) + " bytes where its header needs " +
                     std::to_string(sizeof length + length) + "; it is cut short");
  }
  return bytes.substr(sizeof length, length);
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view bytes) {
  PM_ASSIGN(const std::string_view text, header_text(bytes));
  const auto object = parse_strict_json(text, kMaxDepth);
  if (!object.ok()) return object.status().with_context("its header");
  SafetensorsHeader header;
  header.data_begin = sizeof(uint64_t) + text.size();
  for (const auto& [name, value] : object->items()) {
    if (name == "__metadata__") {
      PM_ASSIGN(header.metadata, parse_metadata(value));
      continue;
    }
    auto entry = parse_entry(value);
    if (!entry.ok()) return entry.status().with_context("tensor " + name);
    header.tensors[name] = std::move(*entry);
  }
  PM_TRY(check_layout(header, bytes.size() - header.data_begin));
  for (auto& [name, entry] : header.tensors) {
    entry.begin += header.data_begin;
    entry.end += header.data_begin;
  }
  return header;
}

int64_t TensorShape::bytes() const {
  auto count = static_cast<int64_t>(c10::elementSize(dtype));
  for (const int64_t size : shape) count *= size;
  return count;
}

std::string safetensors_header_bytes(const std::vector<TensorShape>& tensors,
                                     const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t begin = 0;
  for (const TensorShape& tensor : tensors) {
    const auto dtype = safetensors_dtype_name(tensor.dtype);
    if (!dtype) throw std::invalid_argument("no safetensors dtype for tensor " + tensor.name);
    const int64_t end = begin + tensor.bytes();
    header[tensor.name] = {
        {"dtype", *dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

std::optional<std::string_view> safetensors_dtype_name(ScalarType dtype) {
  for (const auto& [text, type] : kDtypes) {
    if (type == dtype) return text;
  }
  return std::nullopt;
}

}  // namespace prefixmem::trainer
