#include "worker/trainer/collective/rounds.h"

#include <algorithm>
#include <vector>

#include "common/guarded.h"

namespace prefixmem::trainer {

Rounds::Rounds(Collective& gang, Call call)
    : gang_(gang), call_(std::move(call)), thread_([this] { serve(); }) {}

Rounds::~Rounds() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Rounds::want(int64_t item) {
  {
    const MutexLock lock(mutex_);
    wanted_.push_back(item);
  }
  changed_.notify_all();
}

Status Rounds::wait(int64_t item) {
  const MutexLock lock(mutex_);
  while (failure_.ok() && is_wanted(item)) changed_.wait(mutex_);
  return failure_;
}

bool Rounds::is_wanted(int64_t item) const {
  return std::find(wanted_.begin(), wanted_.end(), item) != wanted_.end();
}

Status Rounds::settle() {
  const MutexLock lock(mutex_);
  settling_ = failure_.ok();
  changed_.notify_all();
  while (settling_) changed_.wait(mutex_);
  return failure_;
}

void Rounds::serve() {
  std::optional<int64_t> mine;
  while (next_vote(mine)) {
    std::optional<int64_t> chosen;
    const Status status = guarded([&] {
      PM_ASSIGN(chosen, choose(mine));
      return chosen ? call_(*chosen, chosen == mine) : Status();
    });
    note(chosen, status);
  }
}

bool Rounds::next_vote(std::optional<int64_t>& mine) {
  const MutexLock lock(mutex_);
  while (wanted_.empty() && !settling_ && !ending_ && failure_.ok()) changed_.wait(mutex_);
  mine = wanted_.empty() ? std::nullopt : std::optional(wanted_.front());
  return failure_.ok() && !ending_;
}

// The ranks are asked in turn, another one first each round, so that none waits for ever.
Result<std::optional<int64_t>> Rounds::choose(std::optional<int64_t> mine) {
  constexpr double kNothing = -1;
  std::vector<double> votes(gang_.size());
  votes[gang_.rank()] = mine ? static_cast<double>(*mine) : kNothing;
  PM_TRY(gang_.all_reduce_sum(votes));
  std::rotate(votes.begin(), votes.begin() + first_, votes.end());
  first_ = (first_ + 1) % gang_.size();
  const auto first = std::find_if(votes.begin(), votes.end(), [](double v) { return v >= 0; });
  if (first == votes.end()) return std::optional<int64_t>();
  return std::optional(static_cast<int64_t>(*first));
}

void Rounds::note(std::optional<int64_t> done, const Status& status) {
  const MutexLock lock(mutex_);
  if (!status.ok()) failure_ = status;
  if (!status.ok() || !done) settling_ = false;
  if (done && !wanted_.empty() && wanted_.front() == *done) wanted_.pop_front();
  changed_.notify_all();
}

namespace {

class SettledCollective final : public Collective {
 public:
  SettledCollective(Collective& gang, std::function<Status()> settle)
      : gang_(gang), settle_(std::move(settle)) {}

  int rank() const override { return gang_.rank(); }
  int size() const override { return gang_.size(); }
  int local_rank() const override { return gang_.local_rank(); }
  int local_size() const override { return gang_.local_size(); }
  torch::Device device() const override { return gang_.device(); }

  Status all_reduce_sum(torch::Tensor& tensor) override {
    PM_TRY(settle_());
    return gang_.all_reduce_sum(tensor);
  }
  Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) override {
    PM_TRY(settle_());
    return gang_.reduce_scatter_sum(tensor, part);
  }
  Status all_gather(torch::Tensor& tensor) override {
    PM_TRY(settle_());
    return gang_.all_gather(tensor);
  }
  Status all_reduce_sum(std::span<double> values) override {
    PM_TRY(settle_());
    return gang_.all_reduce_sum(values);
  }
  Status broadcast(std::string& bytes) override {
    PM_TRY(settle_());
    return gang_.broadcast(bytes);
  }
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override {
    PM_TRY(settle_());
    return gang_.all_gather(bytes);
  }
  Status barrier() override {
    PM_TRY(settle_());
    return gang_.barrier();
  }
  void abort(int exit_code) override { gang_.abort(exit_code); }

 private:
  Collective& gang_;
  const std::function<Status()> settle_;
};

}  // namespace

std::unique_ptr<Collective> settled_before_calls(Collective& gang, std::function<Status()> settle) {
  return std::make_unique<SettledCollective>(gang, std::move(settle));
}

}  // namespace prefixmem::trainer
