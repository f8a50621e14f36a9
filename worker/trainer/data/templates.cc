#include "worker/trainer/data/templates.h"

#include <algorithm>
#include <map>

namespace prefixmem::trainer {

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

std::string words_of(const DataSpec& data, const std::string& label) {
  const auto found = data.label_words.find(label);
  return found == data.label_words.end() ? label : found->second;
}

Status check_label_words(const DataSpec& data, const std::vector<std::string>& labels) {
  for (const auto& [label, words] : data.label_words) {
    if (std::find(labels.begin(), labels.end(), label) != labels.end()) continue;
    return invalid_argument("data.label_words names the label \"" + label +
                            "\", which no row has; allowed: " + join_labels(labels));
  }
  std::map<std::string, std::string> taken;
  for (const std::string& label : labels) {
    const auto [other, is_new] = taken.emplace(words_of(data, label), label);
    if (is_new) continue;
    return invalid_argument("labels \"" + other->second + "\" and \"" + label +
                            "\" both stand as \"" + other->first +
                            "\"; allowed: words of its own for each (data.label_words)");
  }
  return {};
}

}  // namespace prefixmem::trainer
