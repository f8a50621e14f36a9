#include "worker/trainer/ops/cpu/attention.h"

#include <ATen/ATen.h>

#include <cstring>

#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tiles.h"

namespace prefixmem::trainer::cpu {
namespace {

constexpr int64_t kMostScores = int64_t{1} << 18;  // of one query head in one part

int64_t key_count(const AttentionPart& part) {
  int64_t count = 0;
  for (const TokenRange& range : part.keys) count += range.count;
  return count;
}

uint16_t* data_of(const torch::Tensor& x) { return static_cast<uint16_t*>(x.data_ptr()); }

// Tokens of one key head's group of heads, x [tokens, heads, d] without gaps.
struct Group {
  uint16_t* data;
  int64_t heads, first, count, d;  // `count` of `heads`, from `first` on
  uint16_t* row(int64_t token, int64_t head) const {
    return data + (token * heads + first + head) * d;
  }
};

Group group_of(const torch::Tensor& x, int64_t key_head, int64_t key_heads) {
  const int64_t count = x.size(1) / key_heads;
  return {data_of(x), x.size(1), key_head * count, count, x.size(2)};
}

void clear_rows(const Tile& tile, int64_t from) {
  std::fill(tile.data + from * tile.columns, tile.data + tile.rows * tile.columns, uint16_t{0});
}

// Rows (head, token), heads first.
Tile gather_queries(Use use, const Group& group, const TokenRange& range) {
  const Tile tile = new_tile(use, padded(group.count * range.count), group.d);
  uint16_t* to = tile.data;
  for (int64_t head = 0; head < group.count; ++head) {
    for (int64_t i = 0; i < range.count; ++i, to += group.d) {
      std::memcpy(to, group.row(range.begin + i, head), group.d * sizeof(uint16_t));
    }
  }
  clear_rows(tile, group.count * range.count);
  return tile;
}

Tile gather_keys(Use use, const Group& group, const AttentionPart& part) {
  const int64_t count = key_count(part);
  const Tile tile = new_tile(use, padded(count), group.d);
  uint16_t* to = tile.data;
  for (const TokenRange& range : part.keys) {
    for (int64_t i = 0; i < range.count; ++i, to += group.d) {
      std::memcpy(to, group.row(range.begin + i, 0), group.d * sizeof(uint16_t));
    }
  }
  clear_rows(tile, count);
  return tile;
}

// fp32 rows (head, token) → bf16 at their places.
void scatter(const float* from, const Group& group, const TokenRange& range) {
  for (int64_t head = 0; head < group.count; ++head) {
    matmul_kernels().narrow({from + head * range.count * group.d, group.d}, nullptr,
                            {group.row(range.begin, head), group.heads * group.d}, range.count,
                            group.d);
  }
}

// The scores of one part and key head, row by row.
struct PartScores {
  const AttentionPart& part;
  const float* scores;  // [heads · queries, width]
  int64_t keys, width;
  float scale;

  ScoreRow row(int64_t head, int64_t i) const {
    const float* const mask =
        part.mask.defined() ? part.mask.data_ptr<float>() + i * keys : nullptr;
    return {scores + (head * part.queries.count + i) * width, mask, scale,
            part.causal ? i + 1 : keys, width};
  }
};

PartScores score(const AttentionPart& part, const Tile& queries, const Tile& keys, float scale) {
  auto* const scores = scratch<float>(Use::kScores, queries.rows * keys.rows);
  tile_product(queries, packed_transposed(Use::kPackedKeys, keys), scores);
  return {part, scores, key_count(part), keys.rows, scale};
}

struct Inputs {
  const torch::Tensor &query, &key, &value;
  int64_t key_heads() const { return key.size(1); }
};

void attend_part(const AttentionPart& part, int64_t key_head, const Inputs& in, float scale,
                 const Attended& result) {
  const int64_t key_heads = in.key_heads();
  const Group group = group_of(in.query, key_head, key_heads);
  const Tile queries = gather_queries(Use::kQueries, group, part.queries);
  const Tile keys = gather_keys(Use::kKeys, group_of(in.key, key_head, key_heads), part);
  const Tile values = gather_keys(Use::kValues, group_of(in.value, key_head, key_heads), part);
  const PartScores scores = score(part, queries, keys, scale);
  const Tile probabilities = new_tile(Use::kProbabilities, queries.rows, keys.rows);
  auto* const normaliser = result.normaliser.data_ptr<float>();
  for (int64_t head = 0; head < group.count; ++head) {
    for (int64_t i = 0; i < part.queries.count; ++i) {
      normaliser[(part.queries.begin + i) * group.heads + group.first + head] =
          softmax_kernels().softmax(
              scores.row(head, i),
              probabilities.data + (head * part.queries.count + i) * keys.rows);
    }
  }
  clear_rows(probabilities, group.count * part.queries.count);
  auto* const sums = scratch<float>(Use::kSums, queries.rows * group.d);
  tile_product(probabilities, packed(Use::kPackedValues, values), sums);
  scatter(sums, group_of(result.out, key_head, key_heads), part.queries);
}

// The part's own share of the keys' gradients, fp32 [keys, key heads, d] each.
struct KeyGradients {
  float *key, *value;
};

void store_keys(const float* from, float* to, int64_t keys, int64_t d, int64_t stride) {
  for (int64_t k = 0; k < keys; ++k) std::memcpy(to + k * stride, from + k * d, d * sizeof(float));
}

struct Backward {
  const Inputs& in;
  const torch::Tensor& gradient;
  const Attended& attended;
  const torch::Tensor& of_query;
  float scale;

  // probabilities and the scores' gradient.
  void slopes(const PartScores& scores, const Group& above, const Group& out, const float* of_p,
              const Tile& p, const Tile& of_scores) const {
    const TokenRange& range = scores.part.queries;
    const auto* const normaliser = attended.normaliser.data_ptr<float>();
    for (int64_t head = 0; head < above.count; ++head) {
      for (int64_t i = 0; i < range.count; ++i) {
        const int64_t token = range.begin + i;
        const int64_t place = (head * range.count + i) * scores.width;
        const float along =
            softmax_kernels().dot(above.row(token, head), out.row(token, head), above.d);
        softmax_kernels().softmax_backward(
            scores.row(head, i), normaliser[token * above.heads + above.first + head], of_p + place,
            along, p.data + place, of_scores.data + place);
      }
    }
    clear_rows(p, above.count * range.count);
    clear_rows(of_scores, above.count * range.count);
  }

  void compute(const AttentionPart& part, int64_t key_head, const KeyGradients& to) const {
    const int64_t key_heads = in.key_heads(), stride = key_heads * in.key.size(2);
    const Group query = group_of(in.query, key_head, key_heads);
    const Group above = group_of(gradient, key_head, key_heads);
    const Tile queries = gather_queries(Use::kQueries, query, part.queries);
    const Tile gradients = gather_queries(Use::kGradients, above, part.queries);
    const Tile keys = gather_keys(Use::kKeys, group_of(in.key, key_head, key_heads), part);
    const Tile values = gather_keys(Use::kValues, group_of(in.value, key_head, key_heads), part);
    const PartScores scores = score(part, queries, keys, scale);
    auto* const of_p = scratch<float>(Use::kSlopes, queries.rows * keys.rows);
    tile_product(gradients, packed_transposed(Use::kPackedValues, values), of_p);
    const Tile p = new_tile(Use::kProbabilities, queries.rows, keys.rows);
    const Tile of_scores = new_tile(Use::kOfScores, queries.rows, keys.rows);
    slopes(scores, above, group_of(attended.out, key_head, key_heads), of_p, p, of_scores);

    auto* const sums = scratch<float>(Use::kSums, std::max(queries.rows, keys.rows) * query.d);
    tile_product(of_scores, packed(Use::kPacked, keys), sums);
    scatter(sums, group_of(of_query, key_head, key_heads), part.queries);
    tile_product(transposed(Use::kTransposed, of_scores), packed(Use::kPacked, queries), sums);
    store_keys(sums, to.key + key_head * query.d, scores.keys, query.d, stride);
    tile_product(transposed(Use::kTransposed, p), packed(Use::kPacked, gradients), sums);
    store_keys(sums, to.value + key_head * query.d, scores.keys, query.d, stride);
  }
};

// Where each part's keys stand among all parts' keys, and their number last.
std::vector<int64_t> key_offsets(const AttentionPlan& plan) {
  std::vector<int64_t> offsets{0};
  for (const AttentionPart& part : plan) offsets.push_back(offsets.back() + key_count(part));
  return offsets;
}

// Whether the parts' keys, one after another, are the key stream itself.
bool is_partition(const AttentionPlan& plan, int64_t keys) {
  int64_t next = 0;
  for (const AttentionPart& part : plan) {
    for (const TokenRange& range : part.keys) {
      if (range.begin != next) return false;
      next += range.count;
    }
  }
  return next == keys;
}

// Adds up what the parts have for each key, in the plan's order.
torch::Tensor gather_shares(const torch::Tensor& shares, const AttentionPlan& plan,
                            const torch::Tensor& like) {
  if (is_partition(plan, like.size(0))) return shares.to(like.scalar_type());
  torch::Tensor sum = at::zeros(like.sizes(), shares.options());
  int64_t at = 0;
  for (const AttentionPart& part : plan) {
    for (const TokenRange& range : part.keys) {
      sum.narrow(0, range.begin, range.count).add_(shares.narrow(0, at, range.count));
      at += range.count;
    }
  }
  return sum.to(like.scalar_type());
}

template <class Body>
void over_parts(const AttentionPlan& plan, const Inputs& in, const Body& body) {
  int64_t scores = 0;
  for (const AttentionPart& part : plan) scores += part.queries.count * key_count(part);
  const int64_t key_heads = in.key_heads();
  parallel_products(static_cast<int64_t>(plan.size()) * key_heads,
                    2 * scores * in.query.size(1) * in.query.size(2),
                    [&](int64_t task) { body(task / key_heads, task % key_heads); });
}

}  // namespace

bool attends(const torch::Tensor& query, const torch::Tensor& key, const AttentionPlan& plan) {
  const bool fits = query.is_cpu() && query.scalar_type() == at::kBFloat16 &&
                    query.size(2) % kTile == 0 && key.size(0) > 0;
  if (!fits) return false;
  return std::all_of(plan.begin(), plan.end(), [](const AttentionPart& part) {
    return padded(part.queries.count) * padded(key_count(part)) <= kMostScores;
  });
}

Attended attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                const AttentionPlan& plan, double scale) {
  const torch::Tensor q = query.contiguous(), k = key.contiguous(), v = value.contiguous();
  const Attended result{at::empty(q.sizes(), q.options()),
                        at::empty({q.size(0), q.size(1)}, q.options().dtype(at::kFloat))};
  const Inputs in{q, k, v};
  over_parts(plan, in, [&](int64_t part, int64_t key_head) {
    attend_part(plan[part], key_head, in, static_cast<float>(scale), result);
  });
  return result;
}

AttentionGradient attend_backward(const torch::Tensor& gradient, const torch::Tensor& query,
                                  const torch::Tensor& key, const torch::Tensor& value,
                                  const Attended& attended, const AttentionPlan& plan,
                                  double scale) {
  const torch::Tensor q = query.contiguous(), k = key.contiguous(), v = value.contiguous();
  const torch::Tensor above = gradient.contiguous(), of_query = at::empty(q.sizes(), q.options());
  const std::vector<int64_t> offsets = key_offsets(plan);
  const torch::Tensor shares =
      at::empty({2, offsets.back(), k.size(1), k.size(2)}, k.options().dtype(at::kFloat));
  const Inputs in{q, k, v};
  const Backward backward{in, above, attended, of_query, static_cast<float>(scale)};
  over_parts(plan, in, [&](int64_t part, int64_t key_head) {
    auto* const to = shares.data_ptr<float>() + offsets[part] * shares.stride(1);
    backward.compute(plan[part], key_head, {to, to + shares.stride(0)});
  });
  return {of_query, gather_shares(shares[0], plan, k), gather_shares(shares[1], plan, v)};
}

}  // namespace prefixmem::trainer::cpu
