#include "worker/trainer/adapters/adapter.h"

#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/adapters/prefix_memory.h"

namespace prefixmem::trainer {
namespace {

using Made = Result<std::unique_ptr<Adapter>>;

struct Maker {
  const AdapterContext& context;

  Made operator()(const PrefixMemoryMethod&) const {
    return std::unique_ptr<Adapter>(
        std::make_unique<PrefixMemoryAdapter>(context.model, context.device));
  }
  Made operator()(const LoraMethod& method) const {
    PM_ASSIGN(auto lora, LoraAdapter::make(method, context));
    return std::unique_ptr<Adapter>(std::move(lora));
  }
  Made operator()(const NoMethod&) const { return std::unique_ptr<Adapter>(); }
  template <class Method>
  Made operator()(const Method&) const {
    return invalid_argument("method " + std::string(Method::kType) + " is not supported yet");
  }
};

}  // namespace

torch::Tensor Adapter::linear_delta(const LinearCall&) { return {}; }

torch::Tensor Adapter::attention_delta(int64_t, const Queries&) { return {}; }

torch::Tensor Adapter::block_delta(int64_t, const torch::Tensor&) { return {}; }

int64_t Adapter::parameter_count() {
  int64_t count = 0;
  for (const Parameter& parameter : parameters()) count += parameter.value.numel();
  return count;
}

Made make_adapter(const MethodSpec& method, const AdapterContext& context) {
  return std::visit(Maker{context}, method);
}

}  // namespace prefixmem::trainer
