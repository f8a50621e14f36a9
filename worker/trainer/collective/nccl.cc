#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <cstring>

#include "worker/trainer/collective/backends.h"
#include "worker/trainer/collective/call_board.h"
#include "worker/trainer/collective/nccl_library.h"

namespace prefixmem::trainer {
namespace {

template <typename Function>
Status find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function != nullptr) return {};
  return failed_precondition(std::string("collective: NCCL lacks ") + name);
}

// CUDA's own failures are LibTorch's exceptions.
class NcclCollective final : public Collective {
 public:
  NcclCollective(const NcclLibrary& nccl, std::unique_ptr<Collective> host, torch::Device device)
      : nccl_(nccl), host_(std::move(host)), device_(device) {}
  ~NcclCollective() override {
    const CallBoard::Call call(call_board(), "nccl destroy");
    if (communicator_ != nullptr) nccl_.comm_destroy(communicator_);
  }

  // Collective: every rank calls it once.
  Status start() {
    ncclUniqueId id{};
    if (rank() == 0) PM_TRY(status(nccl_.get_unique_id(&id), "id"));
    std::string bytes(reinterpret_cast<const char*>(&id), sizeof id);
    PM_TRY(host_->broadcast(bytes));
    std::memcpy(&id, bytes.data(), sizeof id);
    gpu_.setDevice(device_);
    const CallBoard::Call call(call_board(), "nccl init");
    return status(nccl_.comm_init_rank(&communicator_, size(), id, rank()), "init");
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
    const c10::Stream stream = gpu_.getStream(device_);
    void* const data = tensor.mutable_data_ptr();
    const auto type = tensor.scalar_type() == torch::kInt64 ? ncclInt64 : ncclFloat32;
    PM_TRY(status(
        nccl_.all_reduce(data, data, tensor.numel(), type, ncclSum, communicator_, handle(stream)),
        "all_reduce"));
    gpu_.synchronizeStream(stream);
    return {};
  }
  Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) override {
    PM_TRY(check_scatterable(tensor, part, size(), device_));
    const CallBoard::Call call(call_board(), "nccl reduce_scatter");
    const c10::Stream stream = gpu_.getStream(device_);
    PM_TRY(
        status(nccl_.reduce_scatter(tensor.data_ptr<float>(), part.data_ptr<float>(), part.numel(),
                                    ncclFloat32, ncclSum, communicator_, handle(stream)),
               "reduce_scatter"));
    gpu_.synchronizeStream(stream);
    return {};
  }
  Status all_gather(torch::Tensor& tensor) override {
    PM_TRY(check_gatherable(tensor, size(), device_));
    const CallBoard::Call call(call_board(), "nccl all_gather");
    const c10::Stream stream = gpu_.getStream(device_);
    const size_t bytes = tensor.nbytes() / static_cast<size_t>(size());
    char* const data = static_cast<char*>(tensor.mutable_data_ptr());
    PM_TRY(status(nccl_.all_gather(data + bytes * rank(), data, bytes, ncclUint8, communicator_,
                                   handle(stream)),
                  "all_gather"));
    gpu_.synchronizeStream(stream);
    return {};
  }
  Status all_reduce_sum(std::span<double> values) override { return host_->all_reduce_sum(values); }
  Status broadcast(std::string& bytes) override { return host_->broadcast(bytes); }
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override {
    return host_->all_gather(bytes);
  }
  Status barrier() override { return host_->barrier(); }
  void abort(int exit_code) override { host_->abort(exit_code); }

 private:
  // Only a peer or a link that is away is worth a retry.
  Status status(ncclResult_t code, const char* operation) const {
    if (code == ncclSuccess) return {};
    const bool away = code == ncclRemoteError || code == ncclSystemError;
    return {
        away ? Code::kUnavailable : Code::kInternal,
        std::string("collective: nccl ") + operation + " failed: " + nccl_.get_error_string(code)};
  }
  cudaStream_t handle(const c10::Stream& stream) const {
    return static_cast<cudaStream_t>(gpu_.getStreamNativeHandle(stream));
  }

  const NcclLibrary nccl_;
  const c10::impl::VirtualGuardImpl gpu_{c10::kCUDA};
  const std::unique_ptr<Collective> host_;
  const torch::Device device_;
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

Result<NcclLibrary> NcclLibrary::load() {
  void* const library = dlopen("libnccl.so.2", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    return failed_precondition(std::string("collective: NCCL does not load: ") + dlerror());
  }
  NcclLibrary nccl;
  PM_TRY(find(library, "ncclGetErrorString", nccl.get_error_string));
  PM_TRY(find(library, "ncclGetUniqueId", nccl.get_unique_id));
  PM_TRY(find(library, "ncclCommInitRank", nccl.comm_init_rank));
  PM_TRY(find(library, "ncclCommDestroy", nccl.comm_destroy));
  PM_TRY(find(library, "ncclAllReduce", nccl.all_reduce));
  PM_TRY(find(library, "ncclReduceScatter", nccl.reduce_scatter));
  PM_TRY(find(library, "ncclAllGather", nccl.all_gather));
  return nccl;
}

Result<std::unique_ptr<Collective>> make_nccl_collective(std::unique_ptr<Collective> host,
                                                         torch::Device device) {
  const auto nccl = NcclLibrary::load();
  Status loaded = nccl.status();
  PM_TRY(agree(*host, loaded));
  PM_TRY(loaded);
  auto collective = std::make_unique<NcclCollective>(*nccl, std::move(host), device);
  PM_TRY(collective->start());
  return std::unique_ptr<Collective>(std::move(collective));
}

}  // namespace prefixmem::trainer
