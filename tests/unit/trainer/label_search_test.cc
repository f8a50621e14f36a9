#include "worker/trainer/eval/label_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

namespace prefixmem::trainer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<int32_t>;
using Labels = std::vector<Ids>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(LabelTree, HoldsOnceWhatLabelsBeginWith) {
  const LabelTree tree({{5, 6, 7, 2}, {5, 6, 8, 2}, {9, 2}, {5, 6, 2}, {9, 2}});
  EXPECT_EQ(tree.size(), 1 + 3 + 1 + 2 + 2 + 1) << "root, 5 6 7 2, 8 2, 9 2, 2";
  EXPECT_EQ(tree.read_tokens(), 5) << "5 6 7 8 9";
  const auto& root = tree[LabelTree::kRoot];
  ASSERT_EQ(root.children.size(), 2U);
  const int32_t five = root.children[0], nine = root.children[1];
  EXPECT_EQ(tree[five].longest, 4);
  EXPECT_EQ(tree[nine].longest, 2);
  const auto run = tree.run(five);
  ASSERT_EQ(run.size(), 2U) << "labels part behind 5 6";
  EXPECT_EQ(tree[run[1]].token, 6);
  EXPECT_EQ(tree[run[1]].children.size(), 3U);
  EXPECT_THAT(tree.run(nine), ElementsAre(nine)) << "eos is not read";
  EXPECT_EQ(tree[tree[nine].children[0]].label, 2) << "the first of equals";
}

TEST(LabelTree, OfEosAloneReadsNothing) { EXPECT_EQ(LabelTree(Labels{{2}}).read_tokens(), 0); }

TEST(LabelSearch, LeavesUnreadWhatCannotWin) {
  const LabelTree tree({{5, 2}, {6, 2}, {7, 2}});
  LabelSearch search(tree, false);
  EXPECT_THAT(search.next(9), ElementsAre(LabelTree::kRoot));
  search.learn(LabelTree::kRoot, std::vector<double>{-3, -1, -2});
  const auto nodes = tree[LabelTree::kRoot].children;
  EXPECT_THAT(search.next(1), ElementsAre(nodes[1]));
  EXPECT_THAT(search.next(9), ElementsAre(nodes[1], nodes[2], nodes[0]));
  search.learn(nodes[1], std::vector<double>{-0.5});
  EXPECT_THAT(search.next(9), IsEmpty()) << "-1.5 beats what begins with -2";
  EXPECT_EQ(search.best(), 1);
}

TEST(LabelSearch, WithoutNumbersTheFirstLabelWins) {
  const LabelTree tree({{5, 2}, {6, 2}});
  LabelSearch search(tree, false);
  search.learn(LabelTree::kRoot, std::vector<double>{kNan, kNan});
  for (const int32_t node : search.next(9)) search.learn(node, std::vector<double>{kNan});
  EXPECT_THAT(search.next(9), IsEmpty());
  EXPECT_EQ(search.best(), 0);
}

// log p of tokens behind a path, made up as they are asked for.
class Model {
 public:
  explicit Model(uint32_t seed) : random_(seed) {}
  double log_p(const Ids& path, int32_t token) {
    Ids key = path;
    key.push_back(token);
    const auto [entry, added] = known_.try_emplace(std::move(key), 0);
    // Ties, certainties and impossibilities among them.
    if (added) entry->second = -static_cast<double>(random_() % 12);
    if (added && random_() % 20 == 0) entry->second = -std::numeric_limits<double>::infinity();
    return entry->second;
  }

 private:
  std::mt19937 random_;
  std::map<Ids, double> known_;
};

struct Found {
  int64_t best = 0;
  std::vector<int32_t> read;
};

// Reads run by run, as an evaluation does.
Found search(const LabelTree& tree, Model& model, bool normalized, size_t most) {
  LabelSearch search(tree, normalized);
  Found found;
  std::vector<Ids> paths(tree.size());
  for (auto nodes = search.next(most); !nodes.empty(); nodes = search.next(most)) {
    for (const int32_t first : nodes) {
      const auto run = first == LabelTree::kRoot ? std::vector{first} : tree.run(first);
      for (const int32_t node : run) {
        found.read.push_back(node);
        std::vector<double> scores;
        for (const int32_t child : tree[node].children) {
          paths[child] = paths[node];
          paths[child].push_back(tree[child].token);
          scores.push_back(model.log_p(paths[node], tree[child].token));
        }
        search.learn(node, scores);
      }
    }
  }
  found.best = search.best();
  return found;
}

double score_of(const Ids& label, Model& model, bool normalized) {
  double sum = 0;
  Ids path;
  for (const int32_t token : label) {
    sum += model.log_p(path, token);
    path.push_back(token);
  }
  return normalized ? sum / static_cast<double>(label.size()) : sum;
}

TEST(LabelSearch, FindsWhatReadingEverythingFinds) {
  size_t read = 0, all = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    Labels labels(1 + random() % 20);
    for (Ids& label : labels) {
      label.resize(random() % 5);
      for (int32_t& id : label) id = static_cast<int32_t>(3 + random() % 4);
      // Mostly with eos; a label may go on from another.
      if (label.empty() || random() % 5 != 0) label.push_back(2);
    }
    const LabelTree tree(labels);
    const bool normalized = random() % 2 == 0;
    Model model(seed);
    int64_t best = 0;
    for (size_t i = 1; i < labels.size(); ++i) {
      if (score_of(labels[i], model, normalized) > score_of(labels[best], model, normalized)) {
        best = static_cast<int64_t>(i);
      }
    }
    for (const size_t most : {1, 3, 100}) {
      const Found found = search(tree, model, normalized, most);
      ASSERT_EQ(found.best, best) << "seed " << seed << ", " << most << " at a time";
      const std::set<int32_t> distinct(found.read.begin(), found.read.end());
      EXPECT_EQ(distinct.size(), found.read.size()) << "nothing twice";
      if (most > 1) continue;
      read += found.read.size();
      for (int32_t node = 0; node < tree.size(); ++node) all += tree[node].children.empty() ? 0 : 1;
    }
  }
  EXPECT_LT(4 * read, 3 * all) << "that is what it is for";
}

}  // namespace
}  // namespace prefixmem::trainer
