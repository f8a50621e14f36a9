#include "coordinator/sweep/samplers.h"

#include "common/spec/search_space.h"
#include "coordinator/sweep/axis.h"

namespace prefixmem::sweep {
namespace {

std::vector<std::string> all_values(const Domain& domain) {
  if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) return choice->values.items;
  const auto& whole = std::get<IntDomain>(domain);
  std::vector<std::string> values;
  for (int64_t value = whole.low; value <= whole.high; ++value) {
    values.push_back(std::to_string(value));
  }
  return values;
}

// Counts `left` down to the wanted combination; `depth` keys of the order are decided.
bool find_combination(const Plan& plan, size_t depth, int64_t& left, Setting& setting) {
  if (depth == plan.order.size()) return left-- == 0;
  const std::string& path = plan.order[depth];
  const Domain& domain = plan.space.at(path);
  if (!spec::is_active(domain, setting)) return find_combination(plan, depth + 1, left, setting);
  for (const std::string& value : all_values(domain)) {
    setting[path] = value;
    if (find_combination(plan, depth + 1, left, setting)) return true;
  }
  setting.erase(path);
  return false;
}

}  // namespace

std::optional<Setting> grid_setting(const Plan& plan, int64_t index) {
  Setting setting;
  if (!find_combination(plan, 0, index, setting)) return std::nullopt;
  return setting;
}

std::string random_value(const Domain& domain, Draws& draws) {
  if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) {
    const auto& values = choice->values.items;
    return values[static_cast<size_t>(draws.below(static_cast<int64_t>(values.size())))];
  }
  const Axis axis = axis_of(domain);
  return axis.value_at(axis.low + draws.uniform() * axis.width());
}

Setting random_setting(const Plan& plan, Draws& draws) {
  Setting setting;
  for (const std::string& path : plan.order) {
    const Domain& domain = plan.space.at(path);
    if (spec::is_active(domain, setting)) setting[path] = random_value(domain, draws);
  }
  return setting;
}

std::optional<Setting> next_setting(const Plan& plan, const History& history, int number) {
  const SearchSpec& search = plan.search;
  if (std::holds_alternative<GridSearch>(search)) return grid_setting(plan, number - 1);
  Draws draws(plan.seed, number);
  if (const auto* tpe = std::get_if<TpeSearch>(&search)) {
    return tpe_setting(plan, *tpe, history, draws);
  }
  const auto* asha = std::get_if<AshaSearch>(&search);
  const auto* hyperband = std::get_if<HyperbandSearch>(&search);
  const bool modelled = (asha != nullptr && asha->sampler == Sampler::kTpe) ||
                        (hyperband != nullptr && hyperband->sampler == Sampler::kTpe);
  if (modelled) return tpe_setting(plan, TpeSearch{}, history, draws);
  return random_setting(plan, draws);
}

}  // namespace prefixmem::sweep
