#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>

#include "worker/trainer/collective/backends.h"
#include "worker/trainer/collective/call_board.h"

namespace prefixmem::trainer {
namespace {

// Only a peer or a link that is away is worth a retry.
Status nccl_status(ncclResult_t code, const char* operation) {
  if (code == ncclSuccess) return {};
  const bool away = code == ncclRemoteError || code == ncclSystemError;
  return {away ? Code::kUnavailable : Code::kInternal,
          std::string("collective: nccl ") + operation + " failed: " + ncclGetErrorString(code)};
}

Status cuda_status(cudaError_t code, const char* operation) {
  if (code == cudaSuccess) return {};
  const bool memory = code == cudaErrorMemoryAllocation;
  return {memory ? Code::kResourceExhausted : Code::kInternal,
          std::string("collective: cuda ") + operation + " failed: " + cudaGetErrorString(code)};
}

class NcclCollective final : public Collective {
 public:
  NcclCollective(std::unique_ptr<Collective> host, torch::Device device)
      : host_(std::move(host)), device_(device) {}
  ~NcclCollective() override {
    const CallBoard::Call call(call_board(), "nccl destroy");
    if (communicator_ != nullptr) ncclCommDestroy(communicator_);
  }

  // Collective: every rank calls it once.
  Status start() {
    ncclUniqueId id{};
    if (rank() == 0) PM_TRY(nccl_status(ncclGetUniqueId(&id), "id"));
    std::string bytes(reinterpret_cast<const char*>(&id), sizeof id);
    PM_TRY(host_->broadcast(bytes));
    std::memcpy(&id, bytes.data(), sizeof id);
    PM_TRY(cuda_status(cudaSetDevice(device_.index()), "set device"));
    const CallBoard::Call call(call_board(), "nccl init");
    return nccl_status(ncclCommInitRank(&communicator_, size(), id, rank()), "init");
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int local_rank() const override { return host_->local_rank(); }
  int local_size() const override { return host_->local_size(); }
  torch::Device device() const override { return device_; }

  // Waits for the stream, so that the deadline covers the sum itself.
  Status all_reduce_sum(torch::Tensor& tensor) override {
    PM_TRY(check_summable(tensor, device_));
    const CallBoard::Call call(call_board(), "nccl all_reduce");
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream(device_.index()).stream();
    void* const data = tensor.mutable_data_ptr();
    const auto type = tensor.scalar_type() == torch::kInt64 ? ncclInt64 : ncclFloat32;
    PM_TRY(
        nccl_status(ncclAllReduce(data, data, tensor.numel(), type, ncclSum, communicator_, stream),
                    "all_reduce"));
    return cuda_status(cudaStreamSynchronize(stream), "all_reduce");
  }
  Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) override {
    PM_TRY(check_scatterable(tensor, part, size(), device_));
    const CallBoard::Call call(call_board(), "nccl reduce_scatter");
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream(device_.index()).stream();
    PM_TRY(nccl_status(ncclReduceScatter(tensor.data_ptr<float>(), part.data_ptr<float>(),
                                         part.numel(), ncclFloat32, ncclSum, communicator_, stream),
                       "reduce_scatter"));
    return cuda_status(cudaStreamSynchronize(stream), "reduce_scatter");
  }
  Status all_gather(torch::Tensor& tensor) override {
    PM_TRY(check_gatherable(tensor, size(), device_));
    const CallBoard::Call call(call_board(), "nccl all_gather");
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream(device_.index()).stream();
    const size_t bytes = tensor.nbytes() / static_cast<size_t>(size());
    char* const data = static_cast<char*>(tensor.mutable_data_ptr());
    PM_TRY(nccl_status(
        ncclAllGather(data + bytes * rank(), data, bytes, ncclUint8, communicator_, stream),
        "all_gather"));
    return cuda_status(cudaStreamSynchronize(stream), "all_gather");
  }
  Status all_reduce_sum(std::span<double> values) override { return host_->all_reduce_sum(values); }
  Status broadcast(std::string& bytes) override { return host_->broadcast(bytes); }
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override {
    return host_->all_gather(bytes);
  }
  Status barrier() override { return host_->barrier(); }
  void abort(int exit_code) override { host_->abort(exit_code); }

 private:
  const std::unique_ptr<Collective> host_;
  const torch::Device device_;
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

std::string gpu_name(torch::Device device) {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, device.index()) != cudaSuccess) return "unknown GPU";
  return properties.name;
}

Result<std::unique_ptr<Collective>> make_nccl_collective(std::unique_ptr<Collective> host,
                                                         torch::Device device) {
  auto collective = std::make_unique<NcclCollective>(std::move(host), device);
  PM_TRY(collective->start());
  return std::unique_ptr<Collective>(std::move(collective));
}

}  // namespace prefixmem::trainer
