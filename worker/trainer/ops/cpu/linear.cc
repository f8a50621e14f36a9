#include "worker/trainer/ops/cpu/linear.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer::cpu {
namespace {

int64_t even(int64_t n) { return (n + 1) / 2 * 2; }

torch::Tensor one(const torch::Tensor& x) { return x.unsqueeze(0); }

// The first of `updates` from `begin` on that has other rows.
size_t end_of_run(const std::vector<LowRankUpdate>& updates, size_t begin) {
  size_t end = begin + 1;
  while (end < updates.size() && updates[end].begin == updates[begin].begin) ++end;
  return end;
}

JoinedUpdates join_run(const torch::Tensor& x, const LowRankUpdate* from, const LowRankUpdate* to) {
  JoinedUpdates joined{from->begin, from->count, {}, {}, {}};
  int64_t width = 0;
  for (const auto* update = from; update != to; ++update) width += even(update->by.a.size(0));
  joined.a = at::zeros({width, x.size(1)}, x.options());
  joined.inner = at::empty({joined.count, width}, x.options());
  int64_t first = 0;
  for (const auto* update = from; update != to; ++update) {
    const auto& by = update->by;
    const int64_t rank = by.a.size(0);
    joined.a.narrow(0, first, rank).copy_(by.a);
    const torch::Tensor b = at::zeros({by.b.size(0), even(rank)}, x.options());
    b.narrow(1, 0, rank).copy_(by.scale == 1 ? by.b : by.b * by.scale);
    joined.members.push_back({update->map, first, b});
    first += even(rank);
  }
  return joined;
}

torch::Tensor columns_of(const torch::Tensor& x, const JoinedUpdates::Member& member) {
  return x.narrow(1, member.first, member.b.size(1));
}

torch::Tensor rows_of(const torch::Tensor& x, const JoinedUpdates& updates) {
  return x.narrow(0, updates.begin, updates.count);
}

torch::Tensor wide(const torch::Tensor& like, int64_t rows, int64_t columns) {
  return at::empty({rows, columns}, like.options().dtype(at::kFloat));
}

// Of the updates' `inner`.
std::vector<torch::Tensor> inner_gradients(const std::vector<torch::Tensor>& gradients,
                                           const std::vector<JoinedUpdates>& joined) {
  std::vector<torch::Tensor> inner;
  std::vector<Product> products;
  for (const JoinedUpdates& updates : joined) {
    inner.push_back(at::empty_like(updates.inner));
    for (const auto& member : updates.members) {
      products.push_back({{{one(rows_of(gradients[member.map], updates)), one(member.b)}},
                          one(columns_of(inner.back(), member)),
                          {}});
    }
  }
  multiply(products);
  return inner;
}

}  // namespace

bool runs_linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  return multiplies(x, x.size(0), x.size(1)) &&
         std::all_of(maps.begin(), maps.end(), [](const LinearWeights& map) {
           return map.weight.size(0) % 2 == 0;  // the depth of the backward's products
         });
}

std::vector<JoinedUpdates> join_updates(const torch::Tensor& x,
                                        const std::vector<LowRankUpdate>& updates) {
  std::vector<JoinedUpdates> joined;
  std::vector<Product> products;
  for (size_t begin = 0, end = 0; begin < updates.size(); begin = end) {
    end = end_of_run(updates, begin);
    joined.push_back(join_run(x, updates.data() + begin, updates.data() + end));
    const JoinedUpdates& made = joined.back();
    products.push_back({{{one(rows_of(x, made)), one(made.a.t())}}, one(made.inner), {}});
  }
  multiply(products);
  return joined;
}

std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                                  const std::vector<JoinedUpdates>& joined) {
  std::vector<torch::Tensor> out;
  std::vector<Product> products;
  for (const auto& [weight, bias] : maps) {
    out.push_back(at::empty({x.size(0), weight.size(0)}, x.options()));
    products.push_back({{{one(x), one(weight.t())}},
                        one(out.back()),
                        bias.defined() ? bias.to(at::kFloat) : bias});
  }
  for (const JoinedUpdates& updates : joined) {
    for (const auto& member : updates.members) {
      products[member.map].terms.push_back(
          {one(columns_of(updates.inner, member)), one(member.b.t()), updates.begin});
    }
  }
  multiply(products);
  return out;
}

LinearGradients linear_backward(const std::vector<torch::Tensor>& gradients, const torch::Tensor& x,
                                const std::vector<LinearWeights>& maps,
                                const std::vector<JoinedUpdates>& joined, bool of_x) {
  LinearGradients result;
  const auto inner = inner_gradients(gradients, joined);
  std::vector<Product> products;
  for (size_t i = 0; i < joined.size(); ++i) {
    const JoinedUpdates& updates = joined[i];
    const torch::Tensor of_a = wide(x, updates.a.size(0), updates.a.size(1));
    products.push_back(
        {{{columns(inner[i].unsqueeze(1)), one(rows_of(x, updates))}}, one(of_a), {}});
    const torch::Tensor turned = columns(updates.inner.unsqueeze(1));
    for (const auto& member : updates.members) {
      const torch::Tensor& above = gradients[member.map];
      const int64_t rank = member.b.size(1);
      const torch::Tensor of_b = wide(x, rank, above.size(1));
      products.push_back(
          {{{turned.narrow(1, member.first, rank), one(rows_of(above, updates))}}, one(of_b), {}});
      result.a.push_back(of_a.narrow(0, member.first, rank));
      result.b.push_back(of_b.t());
    }
  }
  if (of_x) {
    result.x = at::empty({gradients[0].size(0), maps[0].weight.size(1)}, gradients[0].options());
    Product product{{}, one(result.x), {}};
    for (size_t i = 0; i < maps.size(); ++i) {
      product.terms.push_back({one(gradients[i]), one(maps[i].weight)});
    }
    for (size_t i = 0; i < joined.size(); ++i) {
      product.terms.push_back({one(inner[i]), one(joined[i].a), joined[i].begin});
    }
    products.push_back(std::move(product));
  }
  multiply(products);
  return result;
}

torch::Tensor weight_gradient(const torch::Tensor& gradient, const torch::Tensor& x) {
  const torch::Tensor out = at::empty({gradient.size(1), x.size(1)}, x.options());
  multiply({{{{columns(gradient.unsqueeze(1)), one(x)}}, one(out), {}}});
  return out;
}

}  // namespace prefixmem::trainer::cpu
