#include "worker/trainer/export/export.h"

#include <unistd.h>

#include "common/files.h"
#include "worker/trainer/adapters/full.h"
#include "worker/trainer/adapters/stored_method.h"
#include "worker/trainer/export/merge.h"
#include "worker/trainer/model/model_path.h"
#include "worker/trainer/proof/golden_probe.h"
#include "worker/trainer/train/guard.h"
#include "worker/trainer/train/output.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;

Status check_mergeable(const MethodSpec& method) {
  if (std::holds_alternative<LoraMethod>(method)) return {};
  return invalid_argument(
      "method " + method_name(method) +
      " cannot be merged into a model's weights; serve the base with the adapter's folder beside "
      "it: prefixmem.apply(model, folder) of the Python package puts it on");
}

Status check_base(const fs::path& base) {
  PM_ASSIGN(const ModelPath path, find_model(base));
  if (path.gguf.empty()) return {};
  return invalid_argument("the base is the GGUF file " + path.gguf.string() +
                          ", from which no Hugging Face folder is made; allowed: --model with such "
                          "a folder of the same model");
}

// The base with the adapter in its weights, in `out`.
Status write_merged(const fs::path& folder, const std::string& base, const fs::path& out) {
  PM_ASSIGN(const MethodSpec method, stored_method(folder));
  PM_TRY(check_mergeable(method));
  PM_TRY(check_base(base));
  PM_ASSIGN(const auto decoder, Decoder::load(base, {.dtype = torch::kFloat32}));
  PM_ASSIGN(const auto adapter, load_stored_adapter(folder, method, *decoder));
  const auto whole = FullAdapter::make({.model = decoder->config(), .decoder = decoder.get()});
  merge_linear(*adapter, decoder->config(), whole->parameters());
  return whole->save(out, base);
}

Status copy_folder(const fs::path& folder, const fs::path& out) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code error;
    fs::copy_file(entry.path(), out / entry.path().filename(), error);
    if (error) return from_errno("copying " + entry.path().string(), error.value());
  }
  return {};
}

Status write_model(const fs::path& folder, const std::string& base_model, const fs::path& out) {
  PM_ASSIGN(GoldenProbe probe, read_probe(folder));
  if (holds_whole_model(folder)) return copy_folder(folder, out);
  PM_TRY(write_merged(folder, base_model.empty() ? probe.base_model : base_model, out));
  PM_ASSIGN(probe.adapter_digest, weights_digest(out));
  return write_probe(out, probe);
}

// Whole in `unfinished` and on the disk before it gets its name.
Status publish_model(const fs::path& folder, const std::string& base_model,
                     const fs::path& unfinished, const fs::path& out) {
  PM_TRY(write_model(folder, base_model, unfinished));
  PM_TRY(sync_files(unfinished).status());
  fs::rename(unfinished, out);
  return sync_folder(out.parent_path().empty() ? "." : out.parent_path());
}

}  // namespace

Status export_folder(const fs::path& folder, const std::string& base_model, const fs::path& out) {
  if (fs::exists(out)) {
    return failed_precondition("--out " + out.string() + " exists already; choose a new folder");
  }
  fs::path unfinished = out;
  unfinished += ".unfinished-" + std::to_string(getpid());
  PM_TRY(make_folders(unfinished));
  // Guarded, so that what throws leaves nothing behind either.
  const Status written =
      torch_guarded([&] { return publish_model(folder, base_model, unfinished, out); });
  if (!written.ok()) remove_folder(unfinished);
  return written;
}

}  // namespace prefixmem::trainer
