#include "worker/trainer/data/jsonl.h"

#include <algorithm>

namespace prefixmem::trainer {
namespace {

// Printing and freeing a value recurse.
constexpr int kDeepest = 100;

// How deep lists and objects stand in one another.
int depth_of(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) {
  if (depth_of(text) > kDeepest) {
    return invalid_argument(where + " is JSON nested too deeply; allowed: at most " +
                            std::to_string(kDeepest) + " lists and objects in one another");
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const bool truncated = error.byte > text.size();
    return invalid_argument(
        where + " is not valid JSON: " +
        (truncated ? "it ends too early, after " + std::to_string(text.size()) + " bytes"
                   : "unexpected character at column " + std::to_string(error.byte)));
  } catch (const Json::exception&) {
    return invalid_argument(where + " holds a number that is out of range");
  }
}

Result<Json> parse_json_line(std::string_view line, const std::string& where) {
  PM_ASSIGN(Json object, parse_json(line, where));
  if (object.is_object()) return object;
  return invalid_argument(where + " is a JSON " + object.type_name() + "; allowed: an object");
}

}  // namespace prefixmem::trainer
