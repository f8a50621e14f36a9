#include "worker/trainer/proof/verify.h"

#include "worker/trainer/adapters/stored_method.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;

Status check_vocabulary(const GoldenProbe& probe, int64_t vocab_size) {
  for (const auto& sequence : probe.sequences) {
    for (const int64_t id : sequence.top_ids) {
      if (id < vocab_size) continue;
      return failed_precondition("the probe has token " + std::to_string(id) + "; the model has " +
                                 std::to_string(vocab_size) + " tokens: it is another one");
    }
  }
  return {};
}

}  // namespace

Result<Verdict> verify_folder(const fs::path& folder, const std::string& base_model) {
  PM_ASSIGN(const GoldenProbe probe, read_probe(folder));
  const bool whole = holds_whole_model(folder);
  const fs::path model = whole                ? folder
                         : base_model.empty() ? fs::path(probe.base_model)
                                              : fs::path(base_model);
  const bool bf16 = probe.dtype == "bf16";
  PM_ASSIGN(const auto decoder,
            Decoder::load(model, {.dtype = bf16 ? torch::kBFloat16 : torch::kFloat32}));
  PM_TRY(check_vocabulary(probe, decoder->config().vocab_size));
  std::unique_ptr<Adapter> adapter;
  if (!whole) {
    PM_ASSIGN(const MethodSpec method, stored_method(folder));
    PM_ASSIGN(adapter, load_stored_adapter(folder, method, *decoder));
  }
  return judge(probe, probe_logits(*decoder, adapter.get(), sequences_of(probe)), bf16);
}

}  // namespace prefixmem::trainer
