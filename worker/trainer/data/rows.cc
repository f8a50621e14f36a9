#include "worker/trainer/data/rows.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "worker/trainer/data/jsonl.h"
#include "worker/trainer/data/random.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

Result<std::string> text_at(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return invalid_argument(where + " has no key \"" + key + "\"");
  }
  if (!found->is_string()) {
    return invalid_argument(where + ": \"" + key + "\" is a " + found->type_name() +
                            "; allowed: a string");
  }
  return found->get<std::string>();
}

Status check_message(const json& message, const std::string& where) {
  if (!message.is_object()) {
    return invalid_argument(where + ": a message is a " + message.type_name() +
                            "; allowed: an object with role and content");
  }
  for (const char* key : {"role", "content"}) PM_TRY(text_at(message, key, where).status());
  return {};
}

Result<std::string> messages_of(const json& object, const std::string& where) {
  const auto found = object.find("messages");
  if (found == object.end()) return invalid_argument(where + " has no key \"messages\"");
  if (!found->is_array() || found->empty()) {
    return invalid_argument(where + ": \"messages\" is not a list with at least one message");
  }
  for (const json& message : *found) PM_TRY(check_message(message, where));
  const std::string role = found->back()["role"];
  if (role != "assistant") {
    return invalid_argument(where + ": the last message's role is \"" + role +
                            "\"; allowed: assistant, whose words are what is learned");
  }
  return found->dump();
}

Result<Row> parse_row(const JsonLine& source, DataFormat format, const std::string& where) {
  Row row;
  row.line = source.line;
  switch (format) {
    case DataFormat::kPromptCompletion: {
      PM_ASSIGN(row.text, text_at(source.object, "prompt", where));
      PM_ASSIGN(row.label, text_at(source.object, "completion", where));
      break;
    }
    case DataFormat::kTextLabel: {
      PM_ASSIGN(row.text, text_at(source.object, "text", where));
      PM_ASSIGN(row.label, text_at(source.object, "label", where));
      break;
    }
    case DataFormat::kMessages: {
      PM_ASSIGN(row.messages, messages_of(source.object, where));
      break;
    }
  }
  return row;
}

}  // namespace

Result<std::vector<Row>> read_rows(const std::filesystem::path& file, DataFormat format) {
  PM_ASSIGN(const auto lines, read_jsonl(file));
  std::vector<Row> rows;
  rows.reserve(lines.size());
  for (const JsonLine& line : lines) {
    PM_ASSIGN(auto row, parse_row(line, format, row_name(file, line.line)));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> distinct_labels(const std::vector<Row>& rows) {
  std::vector<std::string> labels;
  std::unordered_set<std::string> seen;
  for (const Row& row : rows) {
    if (seen.insert(row.label).second) labels.push_back(row.label);
  }
  return labels;
}

Result<std::vector<Row>> select_few_shot(const std::vector<Row>& rows, const FewShotSpec& spec,
                                         const std::filesystem::path& file) {
  std::map<std::string, std::vector<int64_t>> members;
  for (size_t i = 0; i < rows.size(); ++i) members[rows[i].label].push_back(i);
  std::vector<int64_t> chosen;
  for (auto& [label, indices] : members) {
    const auto available = static_cast<int64_t>(indices.size());
    if (available < spec.per_class) {
      return invalid_argument("data.few_shot.per_class is " + std::to_string(spec.per_class) +
                              ", but label \"" + label + "\" has " + std::to_string(available) +
                              " rows in " + file.string());
    }
    const uint64_t seed = spec.seed;
    const uint64_t key = text_key(label);
    std::stable_sort(indices.begin(), indices.end(), [&](int64_t a, int64_t b) {
      return random_bits({seed, key, static_cast<uint64_t>(a)}) <
             random_bits({seed, key, static_cast<uint64_t>(b)});
    });
    chosen.insert(chosen.end(), indices.begin(), indices.begin() + spec.per_class);
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<Row> selected;
  for (const int64_t index : chosen) selected.push_back(rows[index]);
  return selected;
}

std::string fill_template(std::string_view pattern, const TemplateValues& values) {
  const std::pair<std::string_view, std::string_view> fields[] = {
      {"{text}", values.text}, {"{label}", values.label}, {"{labels}", values.labels}};
  std::string out;
  while (!pattern.empty()) {
    const auto* field = std::find_if(std::begin(fields), std::end(fields),
                                     [&](const auto& f) { return pattern.starts_with(f.first); });
    if (field != std::end(fields)) {
      out += field->second;
      pattern.remove_prefix(field->first.size());
    } else {
      out += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return out;
}

std::string join_labels(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) out += (out.empty() ? "" : ", ") + label;
  return out;
}

}  // namespace prefixmem::trainer
