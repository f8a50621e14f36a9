// On a GPU: the same numbers as on the CPU. PREFIXMEM_TEST_MODEL names a model folder (run.sh).
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstdlib>

#include "tests/unit/trainer/sft_task.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/collective/cuda.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {
namespace {

std::vector<Example> some_rows() {
  std::vector<Example> rows;
  for (int i = 0; i < 6; ++i) {
    Example row;
    for (int t = 0; t < 5 + 3 * i; ++t) row.ids.push_back((7 * i + 5 * t + t * t) % 90);
    row.prompt_tokens = 2 + i;
    rows.push_back(row);
  }
  return rows;
}

struct Side {
  Side(torch::Device device, const MethodSpec& method) {
    const char* folder = std::getenv("PREFIXMEM_TEST_MODEL");
    EXPECT_NE(folder, nullptr) << "PREFIXMEM_TEST_MODEL must name a model folder";
    model = Decoder::load(folder, {torch::kFloat32, device}).value();
    adapter = make_adapter(method, {model->config(), 1, device, model.get()}).value();
    gang = make_single_collective(device);
  }
  std::vector<double> losses(int steps) const {
    TrainSpec spec;
    spec.max_steps = steps;
    spec.global_batch_size = 4;
    const auto rows = some_rows();
    Trainer trainer(sft_task(spec, rows), *model, *adapter, *gang);
    std::vector<double> out;
    for (int i = 0; i < steps; ++i) out.push_back(trainer.step().value().loss);
    return out;
  }
  std::unique_ptr<Decoder> model;
  std::unique_ptr<Adapter> adapter;
  std::unique_ptr<Collective> gang;
};

const torch::Device kCpu(torch::kCPU);
const torch::Device kGpu(torch::kCUDA, 0);

// Before any test asks LibTorch of CUDA.
class Gpus : public ::testing::Environment {
  void SetUp() override {
    const auto gpus = count_gpus();
    ASSERT_TRUE(gpus.ok()) << gpus.status().message();
    ASSERT_GT(*gpus, 0);
  }
};
const auto* const kGpus = ::testing::AddGlobalTestEnvironment(new Gpus);

TEST(Cuda, ForwardEqualsCpu) {
  Side cpu(kCpu, PrefixMemoryMethod{}), gpu(kGpu, PrefixMemoryMethod{});
  const torch::NoGradGuard no_grad;
  const RaggedBatch batch = pack_rows({0, 1, 2, 3, 4, 5}, some_rows());
  const RaggedBatch there = batch.to(kGpu);
  const auto expected = cpu.model->logits(cpu.model->hidden(batch, nullptr, batch.label_sources));
  const auto actual = gpu.model->logits(gpu.model->hidden(there, nullptr, there.label_sources));
  const double scale = expected.abs().max().item<double>();
  EXPECT_LE((actual.cpu() - expected).abs().max().item<double>(), 1e-4 * scale);
}

class CudaTraining : public ::testing::TestWithParam<MethodSpec> {};

TEST_P(CudaTraining, FollowsTheCpu) {
  const auto expected = Side(kCpu, GetParam()).losses(10);
  const auto actual = Side(kGpu, GetParam()).losses(10);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-3) << i;
}
INSTANTIATE_TEST_SUITE_P(
    Methods, CudaTraining,
    ::testing::Values(MethodSpec(PrefixMemoryMethod{}), MethodSpec(PrefixTuningMethod{}),
                      MethodSpec(LoraMethod{}),
                      MethodSpec(LoraMethod{.dropout = 0.5, .use_dora = true})));

}  // namespace
}  // namespace prefixmem::trainer
