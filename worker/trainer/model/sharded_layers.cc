#include "worker/trainer/model/sharded_layers.h"

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kAlignment = 64;  // of a weight in the buffer
constexpr int64_t kGranule = 4096;  // of a part

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// The views stay: only what is behind them comes and goes.
void give_memory(const torch::Tensor& tensor, c10::DataPtr memory) {
  c10::StorageImpl* const storage = tensor.storage().unsafeGetStorageImpl();
  storage->set_data_ptr_noswap(std::move(memory));
  storage->set_nbytes(tensor.numel());
}

c10::DataPtr take_memory(const torch::Tensor& tensor) {
  c10::StorageImpl* const storage = tensor.storage().unsafeGetStorageImpl();
  storage->set_nbytes(0);
  return storage->set_data_ptr(c10::DataPtr(nullptr, tensor.device()));
}

}  // namespace

ShardedLayers::ShardedLayers(Collective& gang, const std::vector<WeightSlot>& slots,
                             torch::Dtype dtype)
    : gang_(gang),
      rounds_(gang, [this](int64_t layer, bool wanted) { return gather(layer, wanted); }) {
  const auto bytes = at::TensorOptions(gang.device()).dtype(at::kByte);
  int64_t largest = 0;
  for (const auto& [layer, size] : place_slots(slots, static_cast<int64_t>(elementSize(dtype)))) {
    const int64_t part = rounded_up((size + gang.size() - 1) / gang.size(), kGranule);
    layers_.resize(layer + 1);
    layers_[layer] = {at::empty({part * gang.size()}, bytes), at::zeros({part}, bytes)};
    make_views(layer, slots, dtype);
    largest = std::max(largest, part * gang.size());
    take_memory(layers_[layer].whole);
  }
  for (int i = 0; i < kBuffers; ++i) {
    spare_.push_back(take_memory(at::empty({largest}, bytes)));
  }
  others_ = at::empty({largest}, bytes);
  if (!gang.device().is_cuda()) return;
  const c10::impl::VirtualGuardImpl gpu(c10::kCUDA);
  lane_ = gpu.getStreamFromGlobalPool(gang.device());
  others_writable_.emplace(c10::kCUDA).record(gpu.getStream(gang.device()));
}

void ShardedLayers::make_views(int64_t layer, const std::vector<WeightSlot>& slots,
                               torch::Dtype dtype) {
  for (const WeightSlot& slot : slots) {
    if (slot.layer != layer) continue;
    const Place& place = places_.at(slot.name);
    const torch::Tensor bytes = layers_[layer].whole.narrow(0, place.begin, place.bytes);
    *slot.tensor = bytes.view(dtype).view(slot.shape);
  }
}

// The size of each layer's buffer.
std::map<int64_t, int64_t> ShardedLayers::place_slots(const std::vector<WeightSlot>& slots,
                                                      int64_t width) {
  std::map<int64_t, int64_t> sizes;
  for (const WeightSlot& slot : slots) {
    if (!slot.layer) continue;
    const int64_t bytes = c10::multiply_integers(slot.shape) * width;
    int64_t& end = sizes[*slot.layer];
    places_[slot.name] = {*slot.layer, end, bytes};
    end += rounded_up(bytes, kAlignment);
  }
  return sizes;
}

void ShardedLayers::keep(const WeightSlot& slot, const torch::Tensor& weights) {
  const auto& [layer, begin, bytes] = places_.at(slot.name);
  const torch::Tensor& part = layers_[layer].part;
  const int64_t first = part.numel() * gang_.rank();
  const int64_t from = std::max(begin, first);
  const int64_t to = std::min(begin + bytes, first + part.numel());
  if (from >= to) return;
  const torch::Tensor all = weights.contiguous().view(-1).view(at::kByte);
  part.narrow(0, from - first, to - from).copy_(all.narrow(0, from - begin, to - from));
}

void ShardedLayers::need(int64_t layer, std::optional<int64_t> next) {
  if (asked_ && *asked_ != layer) finish();
  for (int64_t i = 0; i < static_cast<int64_t>(layers_.size()); ++i) {
    if (layers_[i].here && i != layer && i != next) drop(i);
  }
  if (!layers_[layer].here) ask(layer);
  if (asked_) finish();
  if (next && !layers_[*next].here) ask(*next);
}

void ShardedLayers::ask(int64_t layer) {
  Layer& wanted = layers_[layer];
  give_memory(wanted.whole, std::move(spare_.back()));
  spare_.pop_back();
  if (lane_) {
    const c10::impl::VirtualGuardImpl gpu(c10::kCUDA);
    wanted.writable.emplace(c10::kCUDA).record(gpu.getStream(gang_.device()));
  }
  wanted.here = true;
  asked_ = layer;
  rounds_.want(layer);
}

void ShardedLayers::finish() {
  const int64_t layer = *std::exchange(asked_, std::nullopt);
  const Status status = rounds_.wait(layer);
  if (status.ok()) return;
  drop(layer);
  throw CollectiveError(status);
}

void ShardedLayers::drop(int64_t layer) {
  layers_[layer].here = false;
  spare_.push_back(take_memory(layers_[layer].whole));
}

Status ShardedLayers::gather(int64_t layer, bool wanted) {
  const c10::OptionalStreamGuard on(lane_);
  const Layer& of = layers_[layer];
  const int64_t bytes = of.part.numel();
  // By data(), filling it is no change of what backward has kept.
  torch::Tensor whole = wanted ? of.whole.data() : others_.narrow(0, 0, bytes * gang_.size());
  const torch::Tensor own = whole.narrow(0, bytes * gang_.rank(), bytes);
  if (lane_) {
    const c10::Event& writable = wanted ? *of.writable : *others_writable_;
    writable.block(*lane_);
    own.copy_(of.part);
  } else {
    // Not LibTorch's copy, for which this thread would keep threads of its own.
    std::memcpy(own.mutable_data_ptr(), of.part.const_data_ptr(), bytes);
  }
  return gang_.all_gather(whole);
}

int64_t ShardedLayers::kept_bytes() const {
  int64_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.part.numel();
  return bytes;
}

int64_t ShardedLayers::buffer_bytes() const { return (kBuffers + 1) * others_.numel(); }

int64_t ShardedLayers::layers_here() const {
  return std::count_if(layers_.begin(), layers_.end(), [](const Layer& l) { return l.here; });
}

}  // namespace prefixmem::trainer
