#include "worker/trainer/adapters/adapter.h"

#include "worker/trainer/adapters/combined.h"
#include "worker/trainer/adapters/full.h"
#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/adapters/prefix_memory.h"
#include "worker/trainer/adapters/prefix_tuning.h"

namespace prefixmem::trainer {
namespace {

using Made = Result<std::unique_ptr<Adapter>>;

template <class Kind>
Made as_adapter(Result<std::unique_ptr<Kind>> made) {
  PM_ASSIGN(auto adapter, std::move(made));
  return std::unique_ptr<Adapter>(std::move(adapter));
}

struct Maker {
  const AdapterContext& context;

  Made operator()(const PrefixMemoryMethod& method) const {
    return as_adapter(PrefixMemoryAdapter::make(method, context));
  }
  Made operator()(const PrefixTuningMethod& method) const {
    return as_adapter(PrefixTuningAdapter::make(method, context));
  }
  Made operator()(const LoraMethod& method) const {
    return as_adapter(LoraAdapter::make(method, context));
  }
  Made operator()(const CombinedMethod& method) const {
    std::vector<CombinedAdapter::Part> parts;
    for (const AdapterMethod& part : method.methods) {
      PM_ASSIGN(
          auto adapter,
          std::visit([&](const auto& single) { return make_adapter(single, context); }, part));
      const auto name = std::visit([](const auto& single) { return single.kType; }, part);
      parts.push_back({name, std::move(adapter)});
    }
    return std::unique_ptr<Adapter>(std::make_unique<CombinedAdapter>(std::move(parts)));
  }
  Made operator()(const FullMethod&) const {
    return std::unique_ptr<Adapter>(FullAdapter::make(context));
  }
  Made operator()(const NoMethod&) const { return std::unique_ptr<Adapter>(); }
};

// The folder to start from, or "".
struct InitOf {
  template <class Method>
  std::string operator()(const Method& method) const {
    if constexpr (requires { method.init; }) return method.init;
    return "";
  }
};

}  // namespace

torch::Tensor Adapter::linear_delta(const LinearCall&) { return {}; }

std::optional<LowRank> Adapter::low_rank(int64_t, Site, bool) { return {}; }

torch::Tensor Adapter::attention_delta(int64_t, const Queries&) { return {}; }

torch::Tensor Adapter::block_delta(int64_t, const torch::Tensor&) { return {}; }

int64_t Adapter::prefix_length() const { return 0; }

std::vector<Prefix> Adapter::prefix(torch::Dtype) { return {}; }
Status Adapter::save_values(const std::filesystem::path& folder, const std::string& base_model,
                            const WholeValue&) const {
  return folder.empty() ? Status() : save(folder, base_model);
}

int64_t Adapter::parameter_count() {
  int64_t count = 0;
  for (const Parameter& parameter : parameters()) count += parameter.value.numel();
  return count;
}

Made make_adapter(const MethodSpec& method, const AdapterContext& context) {
  PM_ASSIGN(auto adapter, std::visit(Maker{context}, method));
  const std::string init = std::visit(InitOf{}, method);
  if (!init.empty()) PM_TRY(adapter->load(init).with_context("method.init"));
  return adapter;
}

}  // namespace prefixmem::trainer
