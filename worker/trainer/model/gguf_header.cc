#include "worker/trainer/model/gguf_header.h"

#include <algorithm>
#include <utility>

#include "common/model/strict_json.h"
#include "worker/trainer/model/byte_cursor.h"
#include "worker/trainer/model/gguf_metadata.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

constexpr size_t kMaxHeader = 100'000'000;
constexpr size_t kLongestName = 64;  // as the format says
constexpr uint32_t kMostDimensions = 4;
constexpr uint64_t kMostTensors = 65536;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint64_t kMaxBytes = uint64_t{1} << 62;  // two of them and a header can be added

Status check_magic(ByteCursor& cursor) {
  PM_ASSIGN(const std::string_view magic, cursor.take(4));
  if (magic != "GGUF") return data_loss("it does not begin with GGUF");
  PM_ASSIGN(const auto version, cursor.number<uint32_t>());
  if (version == 2 || version == 3) return {};
  if ((version & 0xFFFF) == 0) return data_loss("it is big-endian; allowed: little-endian");
  return data_loss("its version is " + std::to_string(version) + "; allowed: 2, 3");
}

// A power of two, so that rounding up is a mask.
Result<uint64_t> alignment_of(const json& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const uint64_t value = found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  const bool power = value != 0 && (value & (value - 1)) == 0;
  if (power && value >= 8 && value <= kMaxAlignment) return value;
  return data_loss("general.alignment is " + shown(*found) +
                   "; allowed: a power of two from 8 to " + std::to_string(kMaxAlignment));
}

Result<std::vector<int64_t>> read_shape(ByteCursor& cursor) {
  PM_ASSIGN(const auto dimensions, cursor.number<uint32_t>());
  if (dimensions == 0 || dimensions > kMostDimensions) {
    return data_loss("it has " + std::to_string(dimensions) + " dimensions; allowed: 1 to " +
                     std::to_string(kMostDimensions));
  }
  std::vector<int64_t> shape(dimensions);
  for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
    PM_ASSIGN(const auto stored, cursor.number<uint64_t>());
    if (stored == 0 || stored > kMaxBytes) {
      return data_loss("a dimension of it is " + std::to_string(stored));
    }
    *size = static_cast<int64_t>(stored);
  }
  return shape;
}

Result<uint64_t> bytes_of(const GgufEntry& entry) {
  const int64_t row = entry.shape.back();
  if (row % entry.type->block_values != 0) {
    return data_loss("its rows have " + std::to_string(row) + " values; allowed for " +
                     std::string(entry.type->name) + ": a multiple of " +
                     std::to_string(entry.type->block_values));
  }
  auto bytes = static_cast<uint64_t>(row / entry.type->block_values);
  bool fits = !__builtin_mul_overflow(bytes, entry.type->block_bytes, &bytes);
  for (size_t i = 0; i + 1 < entry.shape.size(); ++i) {
    fits = fits && !__builtin_mul_overflow(bytes, static_cast<uint64_t>(entry.shape[i]), &bytes);
  }
  if (fits && bytes <= kMaxBytes) return bytes;
  return data_loss("its shape " + json(entry.shape).dump() + " holds too many bytes");
}

// `begin` and `end` are within the data here; place_tensors makes them those of the file.
Result<GgufEntry> read_entry(ByteCursor& cursor, uint64_t alignment) {
  GgufEntry entry;
  PM_ASSIGN(entry.shape, read_shape(cursor));
  PM_ASSIGN(const auto type, cursor.number<uint32_t>());
  PM_ASSIGN(entry.begin, cursor.number<uint64_t>());
  entry.type = find_gguf_type(type);
  if (entry.type == nullptr) {
    return data_loss("its type is number " + std::to_string(type) + ", which is not known");
  }
  PM_ASSIGN(const uint64_t bytes, bytes_of(entry));
  if (entry.begin % alignment != 0 || entry.begin > kMaxBytes) {
    return data_loss("it begins at byte " + std::to_string(entry.begin) +
                     " of the data; allowed: a multiple of " + std::to_string(alignment));
  }
  entry.end = entry.begin + bytes;
  return entry;
}

Status read_tensors(ByteCursor& cursor, uint64_t count, uint64_t alignment, GgufHeader& header) {
  if (count > kMostTensors) {
    return data_loss("it says that it has " + std::to_string(count) +
                     " tensors; allowed: at most " + std::to_string(kMostTensors));
  }
  for (uint64_t i = 0; i < count; ++i) {
    PM_ASSIGN(const std::string_view text, cursor.text());
    if (text.empty() || text.size() > kLongestName) {
      return data_loss("the name of a tensor of it has " + std::to_string(text.size()) +
                       " bytes; allowed: 1 to " + std::to_string(kLongestName));
    }
    const std::string name(text);
    auto entry = read_entry(cursor, alignment);
    if (!entry.ok()) return entry.status().with_context("tensor " + shown(name));
    if (!header.tensors.emplace(name, std::move(*entry)).second) {
      return data_loss("it holds tensor " + shown(name) + " twice");
    }
  }
  return {};
}

// Offsets of the data become those of the file, which has `size` bytes.
Status place_tensors(uint64_t data_begin, uint64_t size, GgufHeader& header) {
  std::vector<std::pair<GgufEntry*, const std::string*>> order;
  for (auto& [name, entry] : header.tensors) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a.first->begin < b.first->begin; });
  uint64_t end = 0;
  for (const auto& [entry, name] : order) {
    if (entry->begin < end) {
      return data_loss("its tensor " + shown(*name) + " begins at byte " +
                       std::to_string(entry->begin) +
                       " of the data, where the one before it ends " + "at " + std::to_string(end));
    }
    end = entry->end;
    entry->begin += data_begin;
    entry->end += data_begin;
  }
  if (order.empty() || end + data_begin <= size) return {};
  return data_loss("it holds " + std::to_string(size) + " bytes where its header says " +
                   std::to_string(end + data_begin) + "; it is cut short");
}

}  // namespace

Result<GgufHeader> parse_gguf_header(std::string_view bytes) {
  ByteCursor cursor(bytes, kMaxHeader);
  PM_TRY(check_magic(cursor));
  PM_ASSIGN(const auto tensors, cursor.number<uint64_t>());
  PM_ASSIGN(const auto pairs, cursor.number<uint64_t>());
  GgufHeader header;
  PM_ASSIGN(header.metadata, read_gguf_metadata(cursor, pairs));
  PM_ASSIGN(const uint64_t alignment, alignment_of(header.metadata));
  PM_TRY(read_tensors(cursor, tensors, alignment, header));
  const uint64_t data_begin = (cursor.position() + alignment - 1) & ~(alignment - 1);
  PM_TRY(place_tensors(data_begin, bytes.size(), header));
  return header;
}

}  // namespace prefixmem::trainer
