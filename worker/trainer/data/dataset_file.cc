#include "worker/trainer/data/dataset_file.h"

#include <ATen/ATen.h>

#include <cstring>

#include "common/sha256.h"
#include "worker/trainer/data/jsonl.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

// Lists end to end.
template <typename T>
struct Flat {
  std::vector<T> values;
  std::vector<int64_t> ends;

  template <typename List>
  void add(const List& list) {
    values.insert(values.end(), list.begin(), list.end());
    ends.push_back(static_cast<int64_t>(values.size()));
  }
};

class Writer {
 public:
  template <typename T>
  void add(const std::string& name, const std::vector<T>& values) {
    const auto type = c10::CppTypeToScalarType<T>::value;
    tensors_.push_back({name, at::empty({static_cast<int64_t>(values.size())}, type)});
    if (!values.empty()) {
      std::memcpy(tensors_.back().value.mutable_data_ptr(), values.data(),
                  values.size() * sizeof(T));
    }
  }
  template <typename T>
  void add(const std::string& name, const Flat<T>& lists) {
    add(name, lists.values);
    add(name + ".ends", lists.ends);
  }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

 private:
  std::vector<NamedTensor> tensors_;
};

// The file's sum is right, so that it holds what a Writer wrote.
class Reader {
 public:
  explicit Reader(const SafetensorsFile& file) : file_(file) {}

  template <typename T>
  Result<std::vector<T>> values(const std::string& name) const {
    PM_ASSIGN(const at::Tensor tensor, file_.tensor(name));
    const T* const first = tensor.const_data_ptr<T>();
    return std::vector<T>(first, first + tensor.numel());
  }
  template <typename List, typename T>
  Result<std::vector<List>> lists(const std::string& name) const {
    PM_ASSIGN(const auto all, values<T>(name));
    PM_ASSIGN(const auto ends, values<int64_t>(name + ".ends"));
    std::vector<List> lists;
    int64_t begin = 0;
    for (const int64_t end : ends) {
      lists.emplace_back(all.begin() + begin, all.begin() + end);
      begin = end;
    }
    return lists;
  }

 private:
  const SafetensorsFile& file_;
};

void add_examples(Writer& writer, const std::string& part, const std::vector<Example>& examples) {
  Flat<int32_t> ids;
  Flat<uint8_t> answers;
  std::vector<int64_t> prompt_tokens, lines, labels;
  for (const Example& example : examples) {
    ids.add(example.ids);
    answers.add(example.answer);
    prompt_tokens.push_back(example.prompt_tokens);
    lines.push_back(example.line);
    labels.push_back(example.label);
  }
  writer.add(part + ".ids", ids);
  writer.add(part + ".answers", answers);
  writer.add(part + ".prompt_tokens", prompt_tokens);
  writer.add(part + ".lines", lines);
  writer.add(part + ".labels", labels);
}

Result<std::vector<Example>> read_examples(const Reader& reader, const std::string& part) {
  PM_ASSIGN(auto ids, (reader.lists<std::vector<int32_t>, int32_t>(part + ".ids")));
  PM_ASSIGN(auto answers, (reader.lists<std::string, uint8_t>(part + ".answers")));
  PM_ASSIGN(const auto prompt_tokens, reader.values<int64_t>(part + ".prompt_tokens"));
  PM_ASSIGN(const auto lines, reader.values<int64_t>(part + ".lines"));
  PM_ASSIGN(const auto labels, reader.values<int64_t>(part + ".labels"));
  std::vector<Example> examples(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    examples[i] = {std::move(ids[i]), prompt_tokens[i], lines[i], std::move(answers[i]), labels[i]};
  }
  return examples;
}

Json json_of(const RowCounts& counts) { return {counts.rows, counts.too_long}; }

RowCounts counts_of(const Json& json) { return {json.at(0), json.at(1)}; }

std::string sum_of(std::string_view data, const std::string& rest) {
  Sha256 sum;
  sum.update(data);
  sum.update(rest);
  return sum.finish_hex();
}

}  // namespace

Status write_dataset(const std::filesystem::path& file, const Dataset& data) {
  Writer writer;
  add_examples(writer, "train", data.train);
  add_examples(writer, "eval", data.eval);
  Flat<int32_t> labels;
  for (const auto& ids : data.label_ids) labels.add(ids);
  writer.add("label_ids", labels);
  const std::string rest = Json{
      {"digest", data.digest},
      {"train_counts", json_of(data.train_counts)},
      {"eval_counts", json_of(data.eval_counts)},
      {"notes", data.notes}}.dump();
  Sha256 sum;
  for (const NamedTensor& tensor : writer.tensors()) {
    sum.update(tensor.value.const_data_ptr(), tensor.value.nbytes());
  }
  sum.update(rest);
  return write_safetensors(file, writer.tensors(),
                           {{"dataset", rest}, {"sha256", sum.finish_hex()}});
}

Result<Dataset> read_dataset(const std::filesystem::path& path) {
  PM_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(path));
  const auto& metadata = file.metadata();
  if (!metadata.contains("dataset") || !metadata.contains("sha256") ||
      sum_of(file.data(), metadata.at("dataset")) != metadata.at("sha256")) {
    return data_loss(path.string() + " is damaged: its checksum does not agree with what it holds");
  }
  const Reader reader(file);
  const Json rest = Json::parse(metadata.at("dataset"));
  Dataset data;
  PM_ASSIGN(data.train, read_examples(reader, "train"));
  PM_ASSIGN(data.eval, read_examples(reader, "eval"));
  PM_ASSIGN(data.label_ids, (reader.lists<std::vector<int32_t>, int32_t>("label_ids")));
  data.digest = rest.at("digest");
  data.train_counts = counts_of(rest.at("train_counts"));
  data.eval_counts = counts_of(rest.at("eval_counts"));
  data.notes = rest.at("notes");
  return data;
}

}  // namespace prefixmem::trainer
