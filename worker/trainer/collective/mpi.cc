#include <mpi.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "worker/trainer/collective/backends.h"
#include "worker/trainer/collective/watchdog.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 28;  // elements in one MPI call, whose counts are int

Status check_count(int64_t count, const char* operation) {
  if (count <= kMaxCount) return {};
  return internal_error(std::string("collective: ") + operation + " of " + std::to_string(count) +
                        " a rank; allowed: at most " + std::to_string(kMaxCount));
}

Status mpi_status(int code, const char* operation) {
  if (code == MPI_SUCCESS) return {};
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  return unavailable(std::string("collective: ") + operation +
                     " failed: " + std::string(text, length));
}

// Bytes by the block, of which a call can count more than INT_MAX bytes.
class Block {
 public:
  explicit Block(int64_t bytes) {
    MPI_Type_contiguous(static_cast<int>(bytes), MPI_BYTE, &type_);
    MPI_Type_commit(&type_);
  }
  ~Block() { MPI_Type_free(&type_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  MPI_Datatype type() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

// Until every rank has come here. MPI's own calls keep a core busy while they wait, which others on
// this host could compute on: another rank, or this one's threads, for which a call may wait long
// before its peers have as much. So each call is made once all are there.
int meet(int ranks) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kSpin{1}, kLongest{1};
  constexpr int kLooks = 3;  // what one finds arrived, the next hands on
  // A barrier's news pass through as many ranks, each of which may be asleep.
  const auto rounds = std::max<int>(std::bit_width(static_cast<unsigned>(ranks - 1)), 1);
  MPI_Request request;
  if (const int code = MPI_Ibarrier(MPI_COMM_WORLD, &request); code != MPI_SUCCESS) return code;
  for (const auto begin = Clock::now();;) {
    for (int i = 0; i < kLooks; ++i) {
      int here = 0;
      const int code = MPI_Test(&request, &here, MPI_STATUS_IGNORE);
      if (code != MPI_SUCCESS || here != 0) return code;
    }
    const auto waited = Clock::now() - begin;
    if (waited < kSpin) continue;
    std::this_thread::sleep_for(std::min<Clock::duration>(waited / 32, kLongest) / rounds);
  }
}

Status stalled(const std::string& call, std::chrono::milliseconds limit, int rank) {
  return unavailable("collective: rank " + std::to_string(rank) + " waited " +
                     std::to_string(limit.count() / 1000) + " s for the other ranks in " + call +
                     "; one of them hangs or is cut off");
}

class MpiCollective final : public Collective {
 public:
  MpiCollective(torch::Device device, const CollectiveOptions& options)
      : device_(device),
        watchdog_(call_board(), options.deadline, [this, options](const std::string& call) {
          const Status status = stalled(call, options.deadline, rank_);
          options.on_stall(status);
          std::_Exit(exit_code(status));
        }) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm host;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &local_rank_);
    MPI_Comm_size(host, &local_size_);
    MPI_Comm_free(&host);
  }
  ~MpiCollective() override {
    const CallBoard::Call call(call_board(), "finalize");
    meet(size_);
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  torch::Device device() const override { return device_; }

  Status all_reduce_sum(torch::Tensor& tensor) override {
    PM_TRY(check_summable(tensor, torch::kCPU));
    if (tensor.scalar_type() == torch::kInt64) {
      return sum(tensor.data_ptr<int64_t>(), tensor.numel(), MPI_INT64_T);
    }
    return sum(tensor.data_ptr<float>(), tensor.numel(), MPI_FLOAT);
  }
  Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) override;
  Status all_gather(torch::Tensor& tensor) override;
  Status all_reduce_sum(std::span<double> values) override {
    return sum(values.data(), static_cast<int64_t>(values.size()), MPI_DOUBLE);
  }
  Status broadcast(std::string& bytes) override;
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override;
  Status barrier() override {
    const CallBoard::Call call(call_board(), "barrier");
    return mpi_status(meet(size_), "barrier");
  }
  void abort(int exit_code) override {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  template <typename T>
  Status sum(T* data, int64_t count, MPI_Datatype type) {
    const CallBoard::Call call(call_board(), "all_reduce");
    PM_TRY(mpi_status(meet(size_), "all_reduce"));
    for (int64_t done = 0; done < count; done += kMaxCount) {
      const int part = static_cast<int>(std::min(kMaxCount, count - done));
      PM_TRY(
          mpi_status(MPI_Allreduce(MPI_IN_PLACE, data + done, part, type, MPI_SUM, MPI_COMM_WORLD),
                     "all_reduce"));
    }
    return {};
  }

  const torch::Device device_;
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  Watchdog watchdog_;
};

Status MpiCollective::reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) {
  PM_TRY(check_scatterable(tensor, part, size_, torch::kCPU));
  PM_TRY(check_count(part.numel(), "reduce_scatter"));
  const CallBoard::Call call(call_board(), "reduce_scatter");
  PM_TRY(mpi_status(meet(size_), "reduce_scatter"));
  return mpi_status(
      MPI_Reduce_scatter_block(tensor.data_ptr<float>(), part.data_ptr<float>(),
                               static_cast<int>(part.numel()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD),
      "reduce_scatter");
}

Status MpiCollective::all_gather(torch::Tensor& tensor) {
  PM_TRY(check_gatherable(tensor, size_, torch::kCPU));
  const auto bytes = static_cast<int64_t>(tensor.nbytes()) / size_;
  constexpr int64_t kLargestBlock = 4096;
  const int64_t size = std::gcd(bytes, kLargestBlock);
  if (bytes == 0) return {};
  PM_TRY(check_count(bytes / size, "all_gather"));
  const CallBoard::Call call(call_board(), "all_gather");
  PM_TRY(mpi_status(meet(size_), "all_gather"));
  const Block block(size);
  return mpi_status(MPI_Allgather(MPI_IN_PLACE, 0, block.type(), tensor.mutable_data_ptr(),
                                  static_cast<int>(bytes / size), block.type(), MPI_COMM_WORLD),
                    "all_gather");
}

Status MpiCollective::broadcast(std::string& bytes) {
  const CallBoard::Call call(call_board(), "broadcast");
  PM_TRY(mpi_status(meet(size_), "broadcast"));
  int64_t length = static_cast<int64_t>(bytes.size());
  PM_TRY(mpi_status(MPI_Bcast(&length, 1, MPI_INT64_T, 0, MPI_COMM_WORLD), "broadcast"));
  bytes.resize(length);
  for (int64_t done = 0; done < length; done += kMaxCount) {
    const int part = static_cast<int>(std::min(kMaxCount, length - done));
    PM_TRY(
        mpi_status(MPI_Bcast(bytes.data() + done, part, MPI_CHAR, 0, MPI_COMM_WORLD), "broadcast"));
  }
  return {};
}

Result<std::vector<std::string>> MpiCollective::all_gather(const std::string& bytes) {
  const CallBoard::Call call(call_board(), "all_gather");
  PM_TRY(mpi_status(meet(size_), "all_gather"));
  const int mine = static_cast<int>(bytes.size());
  std::vector<int> sizes(size_), starts(size_, 0);
  PM_TRY(mpi_status(MPI_Allgather(&mine, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD),
                    "all_gather"));
  for (int i = 1; i < size_; ++i) starts[i] = starts[i - 1] + sizes[i - 1];
  std::string all(starts.back() + sizes.back(), '\0');
  PM_TRY(mpi_status(MPI_Allgatherv(bytes.data(), mine, MPI_CHAR, all.data(), sizes.data(),
                                   starts.data(), MPI_CHAR, MPI_COMM_WORLD),
                    "all_gather"));
  std::vector<std::string> parts;
  for (int i = 0; i < size_; ++i) parts.push_back(all.substr(starts[i], sizes[i]));
  return parts;
}

}  // namespace

bool started_by_mpi() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"}) {
    if (const char* value = std::getenv(name)) {
      return static_cast<int>(std::strtol(value, nullptr, 10));
    }
  }
  return 0;
}

Result<std::unique_ptr<Collective>> make_mpi_collective(torch::Device device,
                                                        const CollectiveOptions& options) {
  int provided = 0;
  PM_TRY(mpi_status(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "init"));
  if (provided < MPI_THREAD_SERIALIZED) {
    return failed_precondition(
        "collective: this MPI lets only one thread call it; required: "
        "MPI_THREAD_SERIALIZED");
  }
  return std::unique_ptr<Collective>(std::make_unique<MpiCollective>(device, options));
}

}  // namespace prefixmem::trainer
