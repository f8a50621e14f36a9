#include "worker/trainer/ops/attention_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kTreeMaskElements = int64_t{1} << 20;
constexpr int64_t kQueriesOnCpu = 48;  // enough for a product; a GPU wants few and large parts
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
  // Segments [root, end), a tree in one run of the stream: a part for the root, and parts for the
  // trees below it, several in one while they are short.
  void add_tree(size_t root, size_t end);
  // Trees below the segment `root`, which may be far before them: the second half of that.
  void add_trees(size_t root, size_t first, size_t end);
  // Past the segments of the tree, which ends at `limit` at the latest.
  size_t end_of_tree(size_t root, size_t limit) const;

  AttentionPlan take() { return std::move(plan_); }

 private:
  void add_segment(size_t s);
  // The trees [first, last) below `root` in one part with a mask: its path's keys, then their own.
  void add_below(size_t root, size_t first, size_t last);
  // Whether that mask is small enough.
  bool fits(size_t root, size_t first, size_t last) const;
  int64_t tokens_of(size_t first, size_t last) const;  // of a run of segments
  int64_t end_of_path(size_t leaf) const;              // position after it
  std::vector<TokenRange> path_of(size_t leaf) const;
  bool on_path(size_t segment, size_t ancestor) const;

  const std::vector<Segment>& segments_;
  const AttentionPlanOptions options_;
  const int64_t queries_together_;
  std::vector<TokenRange> prefixes_;  // keys before each segment's root
  int64_t stream_ = 0;                // first key of the stream
  AttentionPlan plan_;
};

Planner::Planner(const std::vector<Segment>& segments, const AttentionPlanOptions& options)
    : segments_(segments),
      options_(options),
      queries_together_(options.device.is_cpu() ? kQueriesOnCpu : kTreeMaskElements) {
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

void Planner::add_tree(size_t root, size_t end) {
  add_segment(root);
  add_trees(root, root + 1, end);
}

void Planner::add_trees(size_t root, size_t first, size_t end) {
  // Whether a part that begins at `first` may end with the tree [tree, last).
  const auto holds = [&](size_t from, size_t tree, size_t last) {
    return segments_[tree].parent == static_cast<int32_t>(root) && fits(root, from, last);
  };
  while (first < end) {
    size_t last = end_of_tree(first, end);
    if (!holds(first, first, last)) {
      add_tree(first, last);
    } else {
      while (last < end && tokens_of(first, last) < queries_together_) {
        const size_t next = end_of_tree(last, end);
        if (!holds(first, last, next)) break;
        last = next;
      }
      add_below(root, first, last);
    }
    first = last;
  }
}

void Planner::add_below(size_t root, size_t first, size_t last) {
  const int64_t begin = segments_[first].begin, count = tokens_of(first, last);
  const int64_t path = end_of_path(root), window = options_.window;
  const int64_t from = window > 0 ? std::max(int64_t{0}, path - window + 1) : 0;

  std::vector<size_t> owner;  // segment of each token
  for (size_t s = first; s < last; ++s) owner.insert(owner.end(), segments_[s].length, s);
  const auto position = [&](int64_t token) {
    const Segment& segment = segments_[owner[token]];
    return prefixes_[root].count + segment.position + begin + token - segment.begin;
  };
  const auto in_window = [&](int64_t query, int64_t key_position) {
    return window == 0 || position(query) - key_position < window;
  };
  const auto sees = [&](int64_t query, int64_t k) {
    if (k < path - from) return in_window(query, from + k);
    const int64_t key = k - (path - from);
    return key <= query && on_path(owner[query], owner[key]) && in_window(query, position(key));
  };
  std::vector<TokenRange> keys = clip(path_of(root), from, path);
  keys.push_back({stream_ + begin, count});
  plan_.push_back({{begin, count},
                   std::move(keys),
                   false,
                   make_mask(count, path - from + count, options_.device, sees)});
}

void Planner::add_segment(size_t s) {
  const Segment& segment = segments_[s];
  add_row({segment.begin, segment.length}, prefixes_[s].count + segment.position, path_of(s));
}

size_t Planner::end_of_tree(size_t root, size_t limit) const {
  size_t end = root + 1;
  while (end < limit && segments_[end].parent >= static_cast<int32_t>(root)) ++end;
  return end;
}

int64_t Planner::tokens_of(size_t first, size_t last) const {
  return segments_[last - 1].begin + segments_[last - 1].length - segments_[first].begin;
}

int64_t Planner::end_of_path(size_t leaf) const {
  return prefixes_[leaf].count + segments_[leaf].position + segments_[leaf].length;
}

bool Planner::fits(size_t root, size_t first, size_t last) const {
  const int64_t queries = tokens_of(first, last);
  return queries * (end_of_path(root) + queries) <= kTreeMaskElements;
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
  return plan_growth(segments, 0, options);
}

AttentionPlan plan_growth(const std::vector<Segment>& segments, int64_t first,
                          const AttentionPlanOptions& options) {
  Planner planner(segments, options);
  for (size_t tree = first; tree < segments.size();) {
    const int32_t parent = segments[tree].parent;
    size_t end = planner.end_of_tree(tree, segments.size());
    if (parent < 0) {
      planner.add_tree(tree, end);
    } else {
      while (end < segments.size() && segments[end].parent == parent) {
        end = planner.end_of_tree(end, segments.size());
      }
      planner.add_trees(parent, tree, end);
    }
    tree = end;
  }
  AttentionPlan plan = planner.take();
  for (AttentionPart& part : plan) part.queries.begin -= segments[first].begin;
  return plan;
}

AttentionPlan plan_extension(int64_t position, int64_t count, int64_t window,
                             torch::Device device) {
  const std::vector<Segment> none;
  Planner planner(none, {window, {}, device});
  planner.add_row({0, count}, position, {{0, position + count}});
  return planner.take();
}

}  // namespace prefixmem::trainer
