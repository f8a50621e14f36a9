#include "worker/trainer/train/checkpoint.h"

#include <torch/autograd.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/sha256.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

using json = nlohmann::ordered_json;
constexpr const char* kFormat = "prefixmem-checkpoint-1";

// Calls visit(name, flat tensor, begin, end) for each tensor of a checkpoint, in file order.
using Visit = std::function<Status(const std::string&, torch::Tensor&, int64_t, int64_t)>;
Status for_each_tensor(std::vector<Parameter>& parameters, Trainer& trainer, const Visit& visit) {
  const std::pair<const char*, torch::Tensor*> kinds[] = {
      {"adapter.", &trainer.parameters().values()},
      {"exp_avg.", &trainer.optimizer().first_moment()},
      {"exp_avg_sq.", &trainer.optimizer().second_moment()}};
  for (const auto& [prefix, flat] : kinds) {
    int64_t begin = 0;
    for (const Parameter& parameter : parameters) {
      const int64_t end = begin + parameter.value.numel();
      PM_TRY(visit(prefix + parameter.name, *flat, begin, end));
      begin = end;
    }
  }
  return {};
}

json progress_json(const Progress& progress) {
  json evals = json::array();
  for (const EvalEvent& e : progress.evals) evals.push_back(json::parse(to_json_line(e)));
  return {{"tokens", progress.tokens},
          {"train_seconds", progress.train_seconds},
          {"wall_seconds", progress.wall_seconds},
          {"last_loss", progress.last_loss},
          {"evals", evals}};
}

Result<Progress> progress_from(const json& object) {
  Progress progress;
  progress.tokens = object.at("tokens");
  progress.train_seconds = object.at("train_seconds");
  progress.wall_seconds = object.at("wall_seconds");
  progress.last_loss = object.at("last_loss");
  for (const json& e : object.at("evals")) {
    PM_ASSIGN(const Event event, event_from_json(e.dump()));
    progress.evals.push_back(std::get<EvalEvent>(event));
  }
  return progress;
}

Result<CheckpointInfo> parse_info(const SafetensorsFile& file) {
  const auto& metadata = file.metadata();
  if (metadata.count("format") == 0 || metadata.at("format") != kFormat) {
    return data_loss("it is no checkpoint of this program");
  }
  if (metadata.at("sha256") != sha256_hex(file.data())) {
    return data_loss("its data do not match their sha256");
  }
  CheckpointInfo info;
  info.step = std::stoll(metadata.at("step"));
  info.fingerprint = metadata.at("fingerprint");
  info.spec_yaml = metadata.at("spec");
  info.data_digest = metadata.at("data_digest");
  PM_ASSIGN(info.progress, progress_from(json::parse(metadata.at("progress"))));
  return info;
}

Result<CheckpointInfo> read_info(const SafetensorsFile& file) {
  try {
    return parse_info(file);
  } catch (const std::exception& error) {
    return data_loss(std::string("its metadata are damaged: ") + error.what());
  }
}

std::string digest_of(const std::vector<NamedTensor>& tensors) {
  Sha256 digest;
  for (const NamedTensor& tensor : tensors) {
    digest.update(tensor.value.const_data_ptr(), tensor.value.nbytes());
  }
  return digest.finish_hex();
}

}  // namespace

std::string serialize_checkpoint(const CheckpointInfo& info, std::vector<Parameter>& parameters,
                                 Trainer& trainer) {
  const torch::NoGradGuard no_grad;
  std::vector<NamedTensor> tensors;
  const Status copied = for_each_tensor(
      parameters, trainer,
      [&](const std::string& name, torch::Tensor& flat, int64_t begin, int64_t end) -> Status {
        tensors.push_back({name, flat.slice(0, begin, end).cpu().contiguous()});
        return {};
      });
  if (!copied.ok()) std::terminate();  // the visitor above never fails
  return serialize_safetensors(tensors, {{"format", kFormat},
                                         {"step", std::to_string(info.step)},
                                         {"fingerprint", info.fingerprint},
                                         {"spec", info.spec_yaml},
                                         {"data_digest", info.data_digest},
                                         {"progress", progress_json(info.progress).dump()},
                                         {"sha256", digest_of(tensors)}});
}

Result<CheckpointInfo> read_checkpoint_info(const std::string& bytes) {
  PM_ASSIGN(const SafetensorsFile file, SafetensorsFile::over(bytes));
  return read_info(file);
}

Status restore_checkpoint(const std::string& bytes, std::vector<Parameter>& parameters,
                          Trainer& trainer) {
  const torch::NoGradGuard no_grad;
  PM_ASSIGN(const SafetensorsFile file, SafetensorsFile::over(bytes));
  PM_ASSIGN(const CheckpointInfo info, read_info(file));
  PM_TRY(for_each_tensor(
      parameters, trainer,
      [&](const std::string& name, torch::Tensor& flat, int64_t begin, int64_t end) -> Status {
        PM_ASSIGN(const torch::Tensor values, file.tensor(name));
        if (values.scalar_type() != torch::kFloat32 || values.numel() != end - begin) {
          return data_loss("its tensor " + name + " is not of " + std::to_string(end - begin) +
                           " fp32 values");
        }
        flat.slice(0, begin, end).copy_(values.view(-1));
        return {};
      }));
  trainer.optimizer().set_steps(info.step);
  return {};
}

}  // namespace prefixmem::trainer
