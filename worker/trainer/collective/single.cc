// The null object: a gang of one has nothing to sum.
#include <cstdlib>

#include "worker/trainer/collective/backends.h"

namespace prefixmem::trainer {
namespace {

class SingleCollective final : public Collective {
 public:
  explicit SingleCollective(torch::Device device) : device_(device) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  torch::Device device() const override { return device_; }
  Status all_reduce_sum(torch::Tensor& tensor) override { return check_summable(tensor, device_); }
  Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) override {
    PM_TRY(check_scatterable(tensor, part, 1, device_));
    part.copy_(tensor);
    return {};
  }
  Status all_gather(torch::Tensor& tensor) override { return check_gatherable(tensor, 1, device_); }
  Status all_reduce_sum(std::span<double>) override { return {}; }
  Status broadcast(std::string&) override { return {}; }
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override {
    return std::vector<std::string>{bytes};
  }
  Status barrier() override { return {}; }
  void abort(int exit_code) override { std::_Exit(exit_code); }

 private:
  const torch::Device device_;
};

}  // namespace

std::unique_ptr<Collective> make_single_collective(torch::Device device) {
  return std::make_unique<SingleCollective>(device);
}

}  // namespace prefixmem::trainer
