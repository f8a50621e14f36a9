#include "client/benchmarks/original.h"

#include <re2/re2.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "client/benchmarks/csv.h"
#include "client/benchmarks/python_shuffle.h"

namespace prefixmem::client {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<Json>;

Status not_as_expected(const std::string& what) {
  return data_loss("the file is not in the expected form: " + what);
}

Result<Json> parse_json(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return not_as_expected("it holds what is no JSON");
  return json;
}

// The value at a key or JSON pointer; null where there is none.
Json value_at(const Json& row, const std::string& from) {
  if (!from.starts_with('/')) return row.is_object() && row.contains(from) ? row[from] : Json();
  const Json::json_pointer pointer(from);
  return row.contains(pointer) ? row[pointer] : Json();
}

Result<Rows> rows_of_json(std::string_view body, const std::string& at) {
  PM_ASSIGN(const Json json, parse_json(body));
  const Json list = at.empty() ? json : value_at(json, at);
  if (!list.is_array()) return not_as_expected("it has no list of rows");
  return Rows(list.begin(), list.end());
}

Result<Rows> rows_of_lines(std::string_view body) {
  Rows rows;
  while (!body.empty()) {
    const size_t end = std::min(body.find('\n'), body.size());
    PM_ASSIGN(Json row, parse_json(body.substr(0, end)));
    rows.push_back(std::move(row));
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return rows;
}

Result<Rows> rows_of_table(std::vector<std::vector<std::string>> records,
                           std::vector<std::string> columns) {
  if (columns.empty() && !records.empty()) {
    columns = std::move(records.front());
    records.erase(records.begin());
  }
  Rows rows;
  for (auto& record : records) {
    if (record.size() != columns.size()) {
      return not_as_expected("a record has " + std::to_string(record.size()) + " cells, not " +
                             std::to_string(columns.size()));
    }
    Json& row = rows.emplace_back(Json::object());
    for (size_t i = 0; i < columns.size(); ++i) row[columns[i]] = std::move(record[i]);
  }
  return rows;
}

Result<Rows> read_rows(std::string_view body, const Original& original) {
  switch (original.format) {
    case Original::Format::kJson:
      return rows_of_json(body, original.at);
    case Original::Format::kJsonl:
      return rows_of_lines(body);
    case Original::Format::kTsv:
      return rows_of_table(parse_tsv(body), original.columns);
    case Original::Format::kCsv:
      break;
  }
  PM_ASSIGN(auto records, parse_csv(body));
  return rows_of_table(std::move(records), original.columns);
}

Result<std::string> text_at(const Json& row, const std::string& from) {
  const Json value = value_at(row, from);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  return not_as_expected("a row has no text at " + from);
}

Result<bool> is_kept(const Json& row, const Original& original) {
  for (const auto& [from, pattern] : original.where) {
    PM_ASSIGN(const std::string text, text_at(row, from));
    if (!RE2::PartialMatch(text, *pattern)) return false;
  }
  return true;
}

Result<Json> make_row(const Json& row, const std::vector<FieldRule>& fields);

Result<Json> make_field(const Json& row, const FieldRule& field) {
  if (field.each.empty()) {
    PM_ASSIGN(std::string text, text_at(row, field.from));
    for (const auto& [pattern, replacement] : field.replace) {
      RE2::GlobalReplace(&text, *pattern, replacement);
    }
    return Json(std::move(text));
  }
  const Json items = value_at(row, field.from);
  if (!items.is_array()) return not_as_expected("a row has no list at " + field.from);
  Json list = Json::array();
  for (const Json& item : items) {
    PM_ASSIGN(Json made, make_row(item, field.each));
    list.push_back(std::move(made));
  }
  return list;
}

Result<Json> make_row(const Json& row, const std::vector<FieldRule>& fields) {
  Json made = Json::object();
  for (const FieldRule& field : fields) {
    PM_ASSIGN(made[field.name], make_field(row, field));
  }
  return made;
}

// With a blank after each ',' and ':'.
std::string as_python_writes(const Json& json) {
  if (!json.is_structured()) return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string inside;
  for (const auto& [key, value] : json.items()) {
    if (!inside.empty()) inside += ", ";
    if (json.is_object()) inside += Json(key).dump() + ": ";
    inside += as_python_writes(value);
  }
  return json.is_object() ? "{" + inside + "}" : "[" + inside + "]";
}

Result<Rows> kept_rows(Rows rows, const Original& original) {
  Rows kept;
  for (Json& row : rows) {
    PM_ASSIGN(const bool keep, is_kept(row, original));
    if (keep) kept.push_back(std::move(row));
  }
  return kept;
}

// Numbers by size, then texts.
struct NumbersFirst {
  static auto key(const std::string& value) {
    const bool number = !value.empty() && value.find_first_not_of("0123456789") == value.npos;
    return std::tuple(!number, number ? value.size() : 0, value);
  }
  bool operator()(const std::string& one, const std::string& other) const {
    return key(one) < key(other);
  }
};

using Indices = std::vector<int64_t>;

// The rows by their value of `per`, or all of them.
Result<std::vector<Indices>> grouped(const Rows& rows, const std::string& per) {
  std::map<std::string, Indices, NumbersFirst> groups;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string value;
    if (!per.empty()) {
      PM_ASSIGN(value, text_at(rows[i], per));
    }
    groups[value].push_back(static_cast<int64_t>(i));
  }
  std::vector<Indices> all;
  for (auto& [value, indices] : groups) all.push_back(std::move(indices));
  return all;
}

Indices taken(const std::vector<Indices>& groups, const Split& split) {
  Indices indices;
  for (const Indices& group : groups) {
    const int64_t count = std::ssize(group);
    const auto [first, end] = split.take.value_or(std::pair(int64_t{0}, count));
    for (int64_t i = first; i < std::min(end, count); ++i) indices.push_back(group[i]);
  }
  return indices;
}

Result<std::string> lines_of(const Rows& rows, const Indices& indices, const Original& original) {
  std::string lines;
  for (const int64_t i : indices) {
    PM_ASSIGN(const Json made, make_row(rows[i], original.fields));
    lines += as_python_writes(made) + "\n";
  }
  return lines;
}

}  // namespace

Result<std::vector<std::string>> convert_original(std::string_view body, const Original& original,
                                                  const std::vector<const Split*>& splits) {
  PM_ASSIGN(Rows all, read_rows(body, original));
  PM_ASSIGN(const Rows rows, kept_rows(std::move(all), original));
  PM_ASSIGN(std::vector<Indices> groups, grouped(rows, original.per));
  PythonRandom random(original.shuffle.value_or(0));
  if (original.shuffle) {
    for (Indices& group : groups) random.shuffle(group);
  }
  std::vector<std::string> texts;
  for (const Split* split : splits) {
    Indices indices = taken(groups, *split);
    if (!original.per.empty()) random.shuffle(indices);
    PM_ASSIGN(texts.emplace_back(), lines_of(rows, indices, original));
  }
  return texts;
}

}  // namespace prefixmem::client
