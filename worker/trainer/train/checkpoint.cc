#include "worker/trainer/train/checkpoint.h"

#include <ATen/ATen.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/sha256.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::ordered_json;
constexpr const char* kFormat = "prefixmem-checkpoint-1";

using Metadata = std::map<std::string, std::string>;

// In file order; of each, one tensor a parameter.
constexpr std::pair<const char*, State> kStates[] = {{"adapter.", State::kValue},
                                                     {"exp_avg.", State::kFirstMoment},
                                                     {"exp_avg_sq.", State::kSecondMoment}};

std::vector<TensorShape> shapes_of(const std::vector<Parameter>& parameters) {
  std::vector<TensorShape> shapes;
  for (const auto& [prefix, state] : kStates) {
    for (const Parameter& parameter : parameters) {
      shapes.push_back({prefix + parameter.name, at::kFloat, parameter.value.sizes().vec()});
    }
  }
  return shapes;
}

ordered_json progress_json(const Progress& progress) {
  ordered_json evals = ordered_json::array();
  for (const EvalEvent& e : progress.evals) evals.push_back(ordered_json::parse(to_json_line(e)));
  return {{"tokens", progress.tokens},
          {"train_seconds", progress.train_seconds},
          {"wall_seconds", progress.wall_seconds},
          {"last_loss", progress.last_loss},
          {"first_step", progress.first_step},
          {"evals", evals}};
}

Result<Progress> progress_from(const ordered_json& object) {
  Progress progress;
  progress.tokens = object.at("tokens");
  progress.train_seconds = object.at("train_seconds");
  progress.wall_seconds = object.at("wall_seconds");
  progress.last_loss = object.at("last_loss");
  progress.first_step = object.value("first_step", int64_t{0});  // older ones do not tell
  for (const ordered_json& e : object.at("evals")) {
    PM_ASSIGN(const Event event, event_from_json(e.dump()));
    progress.evals.push_back(std::get<EvalEvent>(event));
  }
  return progress;
}

Metadata metadata_of(const CheckpointInfo& info) {
  return {{"format", kFormat},
          {"step", std::to_string(info.step)},
          {"fingerprint", info.fingerprint},
          {"spec", info.spec_yaml},
          {"data_digest", info.data_digest},
          {"progress", progress_json(info.progress).dump()}};
}

Result<CheckpointInfo> info_from(const Metadata& metadata) {
  CheckpointInfo info;
  info.step = std::stoll(metadata.at("step"));
  info.fingerprint = metadata.at("fingerprint");
  info.spec_yaml = metadata.at("spec");
  info.data_digest = metadata.at("data_digest");
  PM_ASSIGN(info.progress, progress_from(ordered_json::parse(metadata.at("progress"))));
  return info;
}

Result<CheckpointInfo> parse_info(const SafetensorsFile& file) {
  const auto& metadata = file.metadata();
  if (metadata.count("format") == 0 || metadata.at("format") != kFormat) {
    return data_loss("it is no checkpoint of this program");
  }
  if (metadata.at("sha256") != sha256_hex(file.data())) {
    return data_loss("its data do not match their sha256");
  }
  return info_from(metadata);
}

// Every rank's `info` becomes rank 0's.
Status share(CheckpointInfo& info, Collective& gang) {
  std::string bytes = ordered_json(metadata_of(info)).dump();
  PM_TRY(gang.broadcast(bytes));
  PM_ASSIGN(info, info_from(ordered_json::parse(bytes).get<Metadata>()));
  return {};
}

}  // namespace

Result<SafetensorsWriter::Written> write_checkpoint(const std::filesystem::path& file,
                                                    const CheckpointInfo& info,
                                                    Optimizer& optimizer, const Collective& gang) {
  const auto& parameters = optimizer.parameters();
  std::optional<SafetensorsWriter> writer;
  Status written;  // rank 0's; a collective goes on whatever becomes of it
  if (gang.rank() == 0) {
    Metadata metadata = metadata_of(info);
    metadata["sha256"] = std::string(SafetensorsWriter::kDigest);
    auto made = SafetensorsWriter::create(file, shapes_of(parameters), metadata);
    written = made.status();
    if (made.ok()) writer.emplace(std::move(*made));
  }
  for (const auto& [prefix, state] : kStates) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      PM_ASSIGN(const torch::Tensor values, optimizer.gather(state, i));
      if (writer && written.ok()) written = writer->append(values);
    }
  }
  PM_TRY(written);
  if (!writer) return SafetensorsWriter::Written();
  return writer->finish();
}

Result<CheckpointInfo> read_checkpoint_info(const SafetensorsFile& file) {
  try {
    return parse_info(file);
  } catch (const std::exception& error) {
    return data_loss(std::string("its metadata are damaged: ") + error.what());
  }
}

Status check_checkpoint_tensors(const SafetensorsFile& file,
                                const std::vector<Parameter>& parameters) {
  for (const TensorShape& shape : shapes_of(parameters)) {
    PM_ASSIGN(const torch::Tensor values, file.tensor(shape.name));
    if (values.scalar_type() == shape.dtype && values.sizes() == at::IntArrayRef(shape.shape)) {
      continue;
    }
    return data_loss("its tensor " + shape.name + " is not of the shape " +
                     ordered_json(shape.shape).dump() + " in fp32");
  }
  return {};
}

Status restore_checkpoint(const SafetensorsFile* file, CheckpointInfo& info, Optimizer& optimizer,
                          Collective& gang) {
  PM_TRY(share(info, gang));
  const auto& parameters = optimizer.parameters();
  for (const auto& [prefix, state] : kStates) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      torch::Tensor values;
      if (file != nullptr) {
        PM_ASSIGN(values, file->tensor(prefix + parameters[i].name));
      }
      PM_TRY(optimizer.scatter(state, i, values));
    }
  }
  optimizer.set_steps(info.step);
  return {};
}

}  // namespace prefixmem::trainer
