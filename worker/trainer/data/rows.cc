#include "worker/trainer/data/rows.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "common/random.h"
#include "worker/trainer/data/fields.h"

namespace prefixmem::trainer {
namespace {

Result<std::vector<Row>> all_rows(RowSource& source, const std::filesystem::path& file,
                                  const DataSpec& data) {
  const RowFields fields(data);
  std::vector<Row> rows;
  SourceRow row;
  while (true) {
    PM_ASSIGN(const bool more, source.next(row));
    if (!more) break;
    PM_ASSIGN(Row made, fields.row(row, row_name(file, row.number)));
    rows.push_back(std::move(made));
  }
  if (rows.empty()) return invalid_argument("data file " + file.string() + " holds no rows");
  return rows;
}

}  // namespace

Result<std::vector<Row>> read_rows(const std::filesystem::path& file, const DataSpec& data) {
  PM_ASSIGN(const auto source, open_rows(file, RowFields(data).columns()));
  return all_rows(*source, file, data);
}

Result<std::vector<Row>> read_rows(std::string_view content, const std::filesystem::path& name,
                                   const DataSpec& data) {
  PM_ASSIGN(const auto source, parse_rows(content, name, RowFields(data).columns()));
  return all_rows(*source, name, data);
}

std::vector<std::string> distinct_labels(const std::vector<Row>& rows) {
  std::vector<std::string> labels;
  std::unordered_set<std::string> seen;
  for (const Row& row : rows) {
    if (seen.insert(row.label).second) labels.push_back(row.label);
  }
  return labels;
}

Result<std::vector<Row>> take_holdout(std::vector<Row>& rows, const DataSpec& data) {
  const HoldoutSpec& spec = *data.holdout;
  const int64_t kept = data.few_shot ? data.few_shot->per_class : 1;
  const bool labelled = data.format == DataFormat::kTextLabel;
  std::map<std::string, int64_t> left;  // rows by label
  const auto group = [&](const Row& row) { return labelled ? row.label : std::string(); };
  for (const Row& row : rows) left[group(row)] += 1;
  std::vector<bool> taken(rows.size(), false);
  int64_t count = 0;
  for (const int64_t index :
       permutation(static_cast<int64_t>(rows.size()), spec.seed, text_key("data.holdout"))) {
    int64_t& others = left[group(rows[index])];
    if (count == spec.rows) break;
    if (others <= kept) continue;
    others -= 1;
    count += 1;
    taken[index] = true;
  }
  if (count == 0) {
    return invalid_argument("data.holdout.rows is " + std::to_string(spec.rows) +
                            ", but no row of " + data.train +
                            " can be spared; allowed: only with more rows of a label than are "
                            "trained on");
  }
  std::vector<Row> held_out;
  std::vector<Row> rest;
  for (size_t i = 0; i < rows.size(); ++i) {
    (taken[i] ? held_out : rest).push_back(std::move(rows[i]));
  }
  rows = std::move(rest);
  return held_out;
}

Result<std::vector<Row>> select_few_shot(std::vector<Row> rows, const FewShotSpec& spec,
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
  for (const int64_t index : chosen) selected.push_back(std::move(rows[index]));
  return selected;
}

}  // namespace prefixmem::trainer
