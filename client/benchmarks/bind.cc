#include "client/benchmarks/bind.h"

#include <algorithm>

#include "common/spec/override.h"

namespace prefixmem::client {
namespace {

using spec::Tree;

constexpr const char* kJobKey = "benchmark";
constexpr const char* kEvalKey = "eval.benchmark";

bool is_name(const Tree* tree) {
  return tree != nullptr && tree->is_scalar() && !tree->scalar.empty();
}

// Takes out of `block` what `given` has.
void leave_out(const Tree& given, Tree& block) {
  auto& entries = block.entries;
  std::erase_if(entries, [&](Tree::Entry& entry) {
    const Tree* above = given.find(entry.key);
    if (above == nullptr) return false;
    const bool unions = above->find("type") != nullptr || entry.value.find("type") != nullptr;
    if (!above->is_map() || !entry.value.is_map() || unions) return true;
    leave_out(*above, entry.value);
    return false;
  });
}

class Binder {
 public:
  Binder(const FindBenchmark& find, Tree& spec) : find_(find), spec_(spec) {}

  Status bind() {
    PM_TRY(bind_suite());
    PM_TRY(bind_eval(spec_.find("eval"), kEvalKey));
    if (const Tree* name = spec_.find(kJobKey); is_name(name)) {
      PM_ASSIGN(BenchmarkSettings found, find_one(name->scalar, kJobKey));
      if (tested_on_another()) {
        std::erase_if(found.job.entries,
                      [](const Tree::Entry& entry) { return entry.key == "eval"; });
      }
      spec::fill_in(found.job, spec_);
    }
    Tree* sweep = spec_.find("sweep");
    if (sweep == nullptr || !sweep->is_map()) return {};
    if (Tree* grid = sweep->find("grid")) PM_TRY(bind_grid(*grid));
    if (const Tree* space = sweep->find("space")) PM_TRY(check_space(*space));
    if (Tree* trials = sweep->find("trials")) {
      for (size_t i = 0; i < trials->items.size(); ++i) {
        PM_TRY(bind_trial(trials->items[i], "sweep.trials[" + std::to_string(i) + "]."));
      }
    }
    return {};
  }

 private:
  Result<BenchmarkSettings> find_one(const std::string& name, const std::string& path) const {
    auto found = find_(name);
    if (!found.ok()) return found.status().with_context(path);
    if (found->size() == 1) return std::move(found->front());
    return invalid_argument(path + " is the suite \"" + name +
                            "\"; allowed: one of its tasks, as " + found->front().name +
                            "; all of them in sweep.grid");
  }

  bool tested_on_another() const {
    const Tree* eval = spec_.find("eval");
    return eval != nullptr && is_name(eval->find("benchmark"));
  }

  // A job of a suite is a sweep over its tasks.
  Status bind_suite() {
    const Tree* name = spec_.find(kJobKey);
    if (!is_name(name)) return {};
    auto found = find_(name->scalar);
    if (!found.ok()) return found.status().with_context(kJobKey);
    if (found->size() == 1) return {};
    const Tree* sweep = spec_.find("sweep");
    const Tree* grid = sweep == nullptr ? nullptr : sweep->find("grid");
    if (grid != nullptr && grid->find(kJobKey) != nullptr) {
      return invalid_argument("benchmark is the suite \"" + name->scalar +
                              "\" and sweep.grid.benchmark is given too; allowed: one of them");
    }
    Tree axis = Tree::list();
    axis.items.push_back(*name);
    std::erase_if(spec_.entries, [](const Tree::Entry& entry) { return entry.key == kJobKey; });
    if (sweep == nullptr || !sweep->is_map()) spec_.set("sweep", Tree::map());
    Tree& block = *spec_.find("sweep");
    if (grid == nullptr || !grid->is_map()) block.set("grid", Tree::map());
    block.find("grid")->set(kJobKey, std::move(axis));
    return {};
  }

  Status bind_eval(Tree* eval, const std::string& path) const {
    const Tree* name = eval == nullptr ? nullptr : eval->find("benchmark");
    if (!is_name(name)) return {};
    PM_ASSIGN(const BenchmarkSettings found, find_one(name->scalar, path));
    spec::fill_in(found.held_out, *eval);
    return {};
  }

  // The block that stands for a benchmark among the values of a sweep.
  Tree block_of(const BenchmarkSettings& found, const std::string& key) const {
    const bool job = key == kJobKey;
    Tree settings = job ? found.job : found.held_out;
    const Tree* given = job ? &spec_ : spec_.find("eval");
    if (given != nullptr) leave_out(*given, settings);
    Tree block = Tree::map();
    block.set("name", Tree::text(found.name));
    spec::fill_in(settings, block);
    return block;
  }

  Status bind_axis(const std::string& key, Tree& axis) const {
    std::vector<Tree> values;
    for (Tree& value : axis.items) {
      if (!is_name(&value)) {
        values.push_back(std::move(value));
        continue;
      }
      const auto found = find_(value.scalar);
      if (!found.ok()) return found.status().with_context("sweep.grid." + key);
      for (const BenchmarkSettings& one : *found) values.push_back(block_of(one, key));
    }
    axis.items = std::move(values);
    return {};
  }

  Status bind_grid(Tree& grid) const {
    for (Tree::Entry& axis : grid.entries) {
      if (axis.key == kJobKey || axis.key == kEvalKey) PM_TRY(bind_axis(axis.key, axis.value));
      if (axis.key != "eval") continue;
      for (Tree& value : axis.value.items) PM_TRY(bind_eval(&value, "sweep.grid.eval.benchmark"));
    }
    return {};
  }

  // A search chooses what is best on a benchmark, not the benchmark.
  static Status check_space(const Tree& space) {
    for (const char* key : {kJobKey, kEvalKey}) {
      if (space.find(key) == nullptr) continue;
      return invalid_argument(std::string("sweep.space.") + key +
                              " is given; allowed: sweep.grid." + key +
                              ", each of whose benchmarks has a search of its own");
    }
    return {};
  }

  Status bind_trial(Tree& trial, const std::string& path) const {
    for (Tree::Entry& entry : trial.entries) {
      if (entry.key == "eval") PM_TRY(bind_eval(&entry.value, path + kEvalKey));
      if ((entry.key != kJobKey && entry.key != kEvalKey) || !is_name(&entry.value)) continue;
      PM_ASSIGN(const BenchmarkSettings found, find_one(entry.value.scalar, path + entry.key));
      entry.value = block_of(found, entry.key);
    }
    return {};
  }

  const FindBenchmark& find_;
  Tree& spec_;
};

}  // namespace

Status bind_benchmarks(const FindBenchmark& find, Tree& spec) { return Binder(find, spec).bind(); }

}  // namespace prefixmem::client
