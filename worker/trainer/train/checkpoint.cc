#include "worker/trainer/train/checkpoint.h"

#include <torch/autograd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/sha256.h"

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

struct Regions {
  json header;
  std::string_view data;
};

Result<Regions> split_regions(const std::string& bytes) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    return data_loss("it holds " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length) return data_loss("its header is cut short");
  Regions regions;
  const std::string_view rest = std::string_view(bytes).substr(sizeof length);
  regions.header = json::parse(rest.substr(0, length), nullptr, false);
  regions.data = rest.substr(length);
  if (!regions.header.is_object() || !regions.header.contains("__metadata__")) {
    return data_loss("its header is no JSON object with metadata");
  }
  return regions;
}

Result<CheckpointInfo> parse_info(const Regions& regions) {
  const json& metadata = regions.header["__metadata__"];
  if (metadata.at("format") != kFormat) return data_loss("it is no checkpoint of this program");
  if (metadata.at("sha256") != sha256_hex(regions.data)) {
    return data_loss("its data do not match their sha256");
  }
  CheckpointInfo info;
  info.step = std::stoll(metadata.at("step").get<std::string>());
  info.fingerprint = metadata.at("fingerprint");
  info.spec_yaml = metadata.at("spec");
  info.data_digest = metadata.at("data_digest");
  PM_ASSIGN(info.progress, progress_from(json::parse(metadata.at("progress").get<std::string>())));
  return info;
}

}  // namespace

std::string serialize_checkpoint(const CheckpointInfo& info, std::vector<Parameter>& parameters,
                                 Trainer& trainer) {
  const torch::NoGradGuard no_grad;
  json header = {{"__metadata__", json::object()}};
  std::string data;
  const Status copied = for_each_tensor(
      parameters, trainer,
      [&](const std::string& name, torch::Tensor& flat, int64_t begin, int64_t end) -> Status {
        const torch::Tensor part = flat.slice(0, begin, end).cpu().contiguous();
        const size_t start = data.size();
        data.append(static_cast<const char*>(part.data_ptr()), part.nbytes());
        header[name] = {
            {"dtype", "F32"}, {"shape", {end - begin}}, {"data_offsets", {start, data.size()}}};
        return {};
      });
  if (!copied.ok()) std::terminate();  // the visitor above never fails
  header["__metadata__"] = {{"format", kFormat},
                            {"step", std::to_string(info.step)},
                            {"fingerprint", info.fingerprint},
                            {"spec", info.spec_yaml},
                            {"data_digest", info.data_digest},
                            {"progress", progress_json(info.progress).dump()},
                            {"sha256", sha256_hex(data)}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + text + data;
}

Result<CheckpointInfo> read_checkpoint_info(const std::string& bytes) {
  PM_ASSIGN(const Regions regions, split_regions(bytes));
  try {
    return parse_info(regions);
  } catch (const std::exception& error) {
    return data_loss(std::string("its metadata are damaged: ") + error.what());
  }
}

Status restore_checkpoint(const std::string& bytes, std::vector<Parameter>& parameters,
                          Trainer& trainer) {
  const torch::NoGradGuard no_grad;
  PM_ASSIGN(const Regions regions, split_regions(bytes));
  PM_ASSIGN(const CheckpointInfo info, read_checkpoint_info(bytes));
  PM_TRY(for_each_tensor(
      parameters, trainer,
      [&](const std::string& name, torch::Tensor& flat, int64_t begin, int64_t end) -> Status {
        const auto size = static_cast<size_t>(end - begin) * sizeof(float);
        const auto entry = regions.header.find(name);
        if (entry == regions.header.end()) return data_loss("it has no tensor " + name);
        const size_t start = (*entry)["data_offsets"][0];
        const size_t stop = (*entry)["data_offsets"][1];
        if (stop < start || stop > regions.data.size() || stop - start != size) {
          return data_loss("its tensor " + name + " is not of " + std::to_string(size) + " bytes");
        }
        torch::Tensor values = torch::empty({end - begin}, torch::kFloat32);
        std::memcpy(values.data_ptr(), regions.data.data() + start, size);
        flat.slice(0, begin, end).copy_(values);
        return {};
      }));
  trainer.optimizer().set_steps(info.step);
  return {};
}

}  // namespace prefixmem::trainer
