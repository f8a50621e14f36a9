// The layers of a base that no rank of a gang has room for: each rank keeps a part of every layer.
#pragma once

#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/collective/rounds.h"
#include "worker/trainer/model/weight_slots.h"

namespace prefixmem::trainer {

// Of the linear maps' weights, which are nearly all of a layer; norms and biases are no part of it.
// The weights of one layer stand side by side in one buffer, cut into a part a rank. The tensors
// that the model computes with are views of it for good, also where backward has kept them; the
// memory behind them is there from need() until another layer is needed, of at most two layers at a
// time, and is gathered from the ranks again each time: bytes, so that nothing is rounded. What
// only other ranks want is gathered into a third buffer.
//
// Thread: one at a time.
class ShardedLayers {
 public:
  // Makes the views, in the slots of a layer; `gang` outlives it.
  ShardedLayers(Collective& gang, const std::vector<WeightSlot>& slots, torch::Dtype dtype);
  ~ShardedLayers() = default;
  ShardedLayers(const ShardedLayers&) = delete;
  ShardedLayers& operator=(const ShardedLayers&) = delete;

  // Keeps this rank's part of a slot's weights, which are of its shape and dtype.
  void keep(const WeightSlot& slot, const torch::Tensor& weights);

  // The layer's weights are there, until another layer is needed; those of `next`, if any, are
  // gathered meanwhile. Throws CollectiveError where the gang fails.
  void need(int64_t layer, std::optional<int64_t> next);
  bool has(int64_t layer) const { return layers_[layer].here && asked_ != layer; }
  // As Rounds::settle().
  Status settle() { return rounds_.settle(); }

  // Bytes of this rank's parts, and of the buffers for what is gathered; layers that are in them or
  // on their way.
  int64_t kept_bytes() const;
  int64_t buffer_bytes() const;
  int64_t layers_here() const;

 private:
  struct Layer {
    torch::Tensor whole;                      // uint8 [ranks · part]; without memory unless `here`
    torch::Tensor part;                       // uint8, this rank's
    bool here = false;                        // or on its way
    std::optional<c10::Event> writable = {};  // on a GPU: its memory, for what it was before
  };
  struct Place {
    int64_t layer, begin, bytes;  // in the layer's buffer
  };

  static constexpr int kBuffers = 2;

  std::map<int64_t, int64_t> place_slots(const std::vector<WeightSlot>& slots, int64_t width);
  void make_views(int64_t layer, const std::vector<WeightSlot>& slots, torch::Dtype dtype);
  void ask(int64_t layer);
  void drop(int64_t layer);
  void finish();
  Status gather(int64_t layer, bool wanted);

  Collective& gang_;
  std::map<std::string, Place> places_;  // by the slot's name
  std::vector<Layer> layers_;
  std::optional<int64_t> asked_;     // that nobody has waited for yet
  std::vector<c10::DataPtr> spare_;  // buffers that hold no layer
  torch::Tensor others_;             // uint8, for what this rank has not asked for
  std::optional<c10::Event> others_writable_;
  std::optional<c10::Stream> lane_;  // of a GPU, for what the rounds' thread does
  Rounds rounds_;                    // last: its thread uses all of these
};

}  // namespace prefixmem::trainer
