#include "tests/fuzz/outcome.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace prefixmem::fuzz {
namespace {

bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace

void require(bool kept, std::string_view what) {
  if (kept) return;
  std::fprintf(stderr, "fuzz: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void require_clear(const Status& status) {
  if (status.ok()) return;
  require(status.code() != Code::kInternal, "a fault of ours: " + status.message());
  require(!status.message().empty(), "a failure without a sentence");
  require(is_utf8(status.message()), "a sentence that is no UTF-8: " + status.message());
}

std::vector<std::string_view> parts_of(std::string_view input, size_t count) {
  std::vector<std::string_view> parts(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t end = i + 1 < count ? input.find('\0') : std::string_view::npos;
    parts[i] = input.substr(0, end);
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  }
  return parts;
}

}  // namespace prefixmem::fuzz
