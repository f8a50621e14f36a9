#include "worker/trainer/ops/attention_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kTreeMaskElements = int64_t{1} << 20;
constexpr int64_t kWindowBlock = 256;  // queries a part where a window makes keys fall away

// sees(query, key), both counted from 0 within the part.
torch::Tensor make_mask(int64_t queries, int64_t keys, torch::Device device,
                        const std::function<bool(int64_t, int64_t)>& sees) {
  torch::Tensor mask = at::empty({queries, keys}, at::kFloat);
  float* out = mask.data_ptr<float>();
  for (int64_t q = 0; q < queries; ++q) {
    for (int64_t k = 0; k < keys; ++k) {
      *out++ = sees(q, k) ? 0.0F : -std::numeric_limits<float>::infinity();
    }
  }
  return mask.to(device);
}

// The part of `path` (ranges whose tokens have positions 0, 1, …) with positions [from, to).
std::vector<TokenRange> clip(const std::vector<TokenRange>& path, int64_t from, int64_t to) {
  std::vector<TokenRange> clipped;
  int64_t position = 0;
  for (const TokenRange& range : path) {
    const int64_t begin = std::max(from - position, int64_t{0});
    const int64_t end = std::min(to - position, range.count);
    if (begin < end) clipped.push_back({range.begin + begin, end - begin});
    position += range.count;
  }
  return clipped;
}

// Queries at consecutive positions from `position` on, whose own tokens end `path`.
void add_row(AttentionPlan& plan, TokenRange queries, int64_t position,
             const std::vector<TokenRange>& path, int64_t window, torch::Device device) {
  const int64_t end = position + queries.count;
  const bool windowed = window > 0 && end > window;
  if (!windowed && position == 0) {
    plan.push_back({queries, path, true, {}});
    return;
  }
  const int64_t block = windowed ? kWindowBlock : queries.count;
  for (int64_t done = 0; done < queries.count; done += block) {
    const int64_t count = std::min(block, queries.count - done);
    const int64_t first = position + done;
    const int64_t from = windowed ? std::max(int64_t{0}, first - window + 1) : 0;
    AttentionPart part{{queries.begin + done, count}, clip(path, from, first + count), false, {}};
    if (count > 1) {
      part.mask = make_mask(count, first + count - from, device, [&](int64_t q, int64_t k) {
        const int64_t distance = first + q - (from + k);
        return distance >= 0 && (!windowed || distance < window);
      });
    }
    plan.push_back(std::move(part));
  }
}

// Segments [root, end) are one tree in one run of the stream: one part for all that is below the
// root, over the whole tree.
void add_small_tree(AttentionPlan& plan, const std::vector<Segment>& segments, size_t root,
                    size_t end, int64_t window, torch::Device device) {
  const Segment& top = segments[root];
  const int64_t below = top.begin + top.length;
  const int64_t stop = segments[end - 1].begin + segments[end - 1].length;
  add_row(plan, {top.begin, top.length}, 0, {{top.begin, top.length}}, window, device);

  std::vector<size_t> owner;  // segment of each token of the tree
  for (size_t s = root; s < end; ++s) owner.insert(owner.end(), segments[s].length, s);
  const auto position = [&](int64_t token) {
    const Segment& segment = segments[owner[token - top.begin]];
    return segment.position + token - segment.begin;
  };
  const auto on_path = [&](size_t segment, size_t ancestor) {
    auto at = static_cast<int32_t>(segment);
    while (at > static_cast<int32_t>(ancestor)) at = segments[at].parent;
    return at == static_cast<int32_t>(ancestor);
  };
  const auto sees = [&](int64_t q, int64_t k) {
    const int64_t query = below + q, key = top.begin + k;
    if (key > query || !on_path(owner[query - top.begin], owner[key - top.begin])) return false;
    return window == 0 || position(query) - position(key) < window;
  };
  plan.push_back({{below, stop - below},
                  {{top.begin, stop - top.begin}},
                  false,
                  make_mask(stop - below, stop - top.begin, device, sees)});
}

std::vector<TokenRange> path_of(const std::vector<Segment>& segments, size_t leaf) {
  std::vector<TokenRange> path;
  for (auto at = static_cast<int32_t>(leaf); at >= 0; at = segments[at].parent) {
    path.push_back({segments[at].begin, segments[at].length});
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace

AttentionPlan plan_attention(const std::vector<Segment>& segments, int64_t window,
                             torch::Device device) {
  AttentionPlan plan;
  for (size_t root = 0; root < segments.size();) {
    size_t end = root + 1;
    while (end < segments.size() && segments[end].parent >= static_cast<int32_t>(root)) ++end;
    const Segment& last = segments[end - 1];
    const int64_t tokens = last.begin + last.length - segments[root].begin;
    const int64_t below = tokens - segments[root].length;
    if (segments[root].parent < 0 && below > 0 && below * tokens <= kTreeMaskElements) {
      add_small_tree(plan, segments, root, end, window, device);
    } else {
      for (size_t s = root; s < end; ++s) {
        add_row(plan, {segments[s].begin, segments[s].length}, segments[s].position,
                path_of(segments, s), window, device);
      }
    }
    root = end;
  }
  return plan;
}

AttentionPlan plan_extension(int64_t position, int64_t count, int64_t window,
                             torch::Device device) {
  AttentionPlan plan;
  add_row(plan, {0, count}, position, {{0, position + count}}, window, device);
  return plan;
}

}  // namespace prefixmem::trainer
