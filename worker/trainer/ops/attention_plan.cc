#include "worker/trainer/ops/attention_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kTreeMaskElements = int64_t{1} << 20;
constexpr int64_t kWindowBlock = 256;  // queries a part where a window makes keys fall away
constexpr int64_t kMaskBlock = 1024;   // queries a part that needs a mask without it

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

class Planner {
 public:
  Planner(const std::vector<Segment>& segments, const AttentionPlanOptions& options);

  // Queries at consecutive positions from `position` on, whose own tokens end `path`.
  void add_row(TokenRange queries, int64_t position, const std::vector<TokenRange>& path);
  // Segments [root, end) are one tree in one run of the stream: one part for the root and one for
  // all that is below it, over the whole tree.
  void add_small_tree(size_t root, size_t end);
  void add_segment(size_t s);
  bool is_small_tree(size_t root, size_t end) const;

  AttentionPlan take() { return std::move(plan_); }

 private:
  std::vector<TokenRange> path_of(size_t leaf) const;
  bool on_path(size_t segment, size_t ancestor) const;

  const std::vector<Segment>& segments_;
  const AttentionPlanOptions options_;
  std::vector<TokenRange> prefixes_;  // keys before each segment's root
  int64_t stream_ = 0;                // first key of the stream
  AttentionPlan plan_;
};

Planner::Planner(const std::vector<Segment>& segments, const AttentionPlanOptions& options)
    : segments_(segments), options_(options) {
  auto span = options.prefixes.begin();
  int64_t end = span == options.prefixes.end() ? 0 : span->tokens;
  for (const Segment& segment : segments) {
    while (span != options.prefixes.end() && segment.begin >= end) {
      stream_ += span->keys;
      if (++span != options.prefixes.end()) end += span->tokens;
    }
    prefixes_.push_back({stream_, span == options.prefixes.end() ? 0 : span->keys});
  }
  for (; span != options.prefixes.end(); ++span) stream_ += span->keys;
}

void Planner::add_row(TokenRange queries, int64_t position, const std::vector<TokenRange>& path) {
  const int64_t end = position + queries.count, window = options_.window;
  const bool windowed = window > 0 && end > window;
  if (!windowed && position == 0) {
    plan_.push_back({queries, path, true, {}});
    return;
  }
  const int64_t block = windowed ? kWindowBlock : kMaskBlock;
  for (int64_t done = 0; done < queries.count; done += block) {
    const int64_t count = std::min(block, queries.count - done);
    const int64_t first = position + done;
    const int64_t from = windowed ? std::max(int64_t{0}, first - window + 1) : 0;
    AttentionPart part{{queries.begin + done, count}, clip(path, from, first + count), false, {}};
    if (count > 1) {
      part.mask =
          make_mask(count, first + count - from, options_.device, [&](int64_t q, int64_t k) {
            const int64_t distance = first + q - (from + k);
            return distance >= 0 && (!windowed || distance < window);
          });
    }
    plan_.push_back(std::move(part));
  }
}

void Planner::add_small_tree(size_t root, size_t end) {
  const int64_t prefix = prefixes_[root].count, window = options_.window;
  const int64_t begin = segments_[root].begin;
  const int64_t below = begin + segments_[root].length;
  const int64_t stop = segments_[end - 1].begin + segments_[end - 1].length;
  add_segment(root);

  std::vector<size_t> owner;  // segment of each token of the tree
  for (size_t s = root; s < end; ++s) owner.insert(owner.end(), segments_[s].length, s);
  const auto position = [&](int64_t token) {
    const Segment& segment = segments_[owner[token - begin]];
    return prefix + segment.position + token - segment.begin;
  };
  const auto in_window = [&](int64_t query, int64_t key_position) {
    return window == 0 || position(query) - key_position < window;
  };
  const auto sees = [&](int64_t q, int64_t k) {
    const int64_t query = below + q, key = begin + k - prefix;
    if (k < prefix) return in_window(query, k);
    return key <= query && on_path(owner[query - begin], owner[key - begin]) &&
           in_window(query, position(key));
  };
  std::vector<TokenRange> keys{prefixes_[root], {stream_ + begin, stop - begin}};
  if (prefix == 0) keys.erase(keys.begin());
  plan_.push_back({{below, stop - below},
                   std::move(keys),
                   false,
                   make_mask(stop - below, prefix + stop - begin, options_.device, sees)});
}

void Planner::add_segment(size_t s) {
  const Segment& segment = segments_[s];
  add_row({segment.begin, segment.length}, prefixes_[s].count + segment.position, path_of(s));
}

bool Planner::is_small_tree(size_t root, size_t end) const {
  const Segment &top = segments_[root], &last = segments_[end - 1];
  const int64_t tokens = last.begin + last.length - top.begin;
  const int64_t below = tokens - top.length;
  return top.parent < 0 && below > 0 &&
         below * (prefixes_[root].count + tokens) <= kTreeMaskElements;
}

bool Planner::on_path(size_t segment, size_t ancestor) const {
  auto at = static_cast<int32_t>(segment);
  while (at > static_cast<int32_t>(ancestor)) at = segments_[at].parent;
  return at == static_cast<int32_t>(ancestor);
}

std::vector<TokenRange> Planner::path_of(size_t leaf) const {
  std::vector<TokenRange> path;
  for (auto at = static_cast<int32_t>(leaf); at >= 0; at = segments_[at].parent) {
    path.push_back({stream_ + segments_[at].begin, segments_[at].length});
  }
  if (prefixes_[leaf].count > 0) path.push_back(prefixes_[leaf]);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace

AttentionPlan plan_attention(const std::vector<Segment>& segments,
                             const AttentionPlanOptions& options) {
  Planner planner(segments, options);
  for (size_t root = 0; root < segments.size();) {
    size_t end = root + 1;
    while (end < segments.size() && segments[end].parent >= static_cast<int32_t>(root)) ++end;
    if (planner.is_small_tree(root, end)) {
      planner.add_small_tree(root, end);
    } else {
      for (size_t s = root; s < end; ++s) planner.add_segment(s);
    }
    root = end;
  }
  return planner.take();
}

AttentionPlan plan_extension(int64_t position, int64_t count, int64_t window,
                             torch::Device device) {
  const std::vector<Segment> none;
  Planner planner(none, {window, {}, device});
  planner.add_row({0, count}, position, {{0, position + count}});
  return planner.take();
}

}  // namespace prefixmem::trainer
