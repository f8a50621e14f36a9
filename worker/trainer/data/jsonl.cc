#include "worker/trainer/data/jsonl.h"

#include <cerrno>
#include <fstream>

namespace prefixmem::trainer {
namespace {

Result<nlohmann::json> parse_object(const std::string& text, const std::string& where) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const bool truncated = error.byte > text.size();
    return invalid_argument(
        where + " is not valid JSON: " +
        (truncated ? "it ends too early, after " + std::to_string(text.size()) + " bytes"
                   : "unexpected character at column " + std::to_string(error.byte)));
  }
  if (!object.is_object()) {
    return invalid_argument(where + " is a JSON " + object.type_name() + "; allowed: an object");
  }
  return object;
}

}  // namespace

std::string row_name(const std::filesystem::path& file, int64_t line) {
  return file.string() + " line " + std::to_string(line);
}

Result<std::vector<JsonLine>> read_jsonl(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) {
    return invalid_argument(file.string() + " is a folder; allowed: a JSONL file");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return from_errno("opening data file " + file.string(), errno);
  std::vector<JsonLine> rows;
  std::string text;
  for (int64_t line = 1; std::getline(stream, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    PM_ASSIGN(auto object, parse_object(text, row_name(file, line)));
    rows.push_back({line, std::move(object)});
  }
  if (stream.bad()) return data_loss("reading data file " + file.string() + " failed half-way");
  if (rows.empty()) return invalid_argument("data file " + file.string() + " holds no rows");
  return rows;
}

}  // namespace prefixmem::trainer
