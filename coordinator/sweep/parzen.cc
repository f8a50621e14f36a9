#include "coordinator/sweep/parzen.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace prefixmem::sweep {
namespace {

constexpr double kPriorWeight = 1;
constexpr size_t kFullWeight = 25;       // the newest observations, which weigh 1
constexpr double kNarrowest = 1. / 100;  // width of a kernel, as a part of the axis

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double mass(double mean, double width, double from, double to) {
  return normal_cdf((to - mean) / width) - normal_cdf((from - mean) / width);
}

double log_normal_density(double x) { return -0.5 * x * x - 0.5 * std::log(2 * std::numbers::pi); }

// Oldest first, the prior's last.
std::vector<double> kernel_weights(size_t observed) {
  std::vector<double> weights(observed, 1.0);
  const size_t older = observed > kFullWeight ? observed - kFullWeight : 0;
  const double lightest = 1 / static_cast<double>(std::max<size_t>(observed, 1));
  for (size_t i = 0; i < older; ++i) {
    const double share = older > 1 ? static_cast<double>(i) / static_cast<double>(older - 1) : 0;
    weights[i] = lightest + share * (1 - lightest);
  }
  weights.push_back(kPriorWeight);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Of each mean, the gap to the farther of its neighbours. The outermost of several look inwards
// only; one alone looks at the ends of the axis.
std::vector<double> gaps(const std::vector<double>& means, const Axis& axis) {
  const size_t count = means.size();
  std::vector<size_t> sorted(count);
  std::iota(sorted.begin(), sorted.end(), size_t{0});
  std::sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return means[a] < means[b]; });
  std::vector<double> widths(count);
  for (size_t i = 0; i < count; ++i) {
    const double mean = means[sorted[i]];
    const bool alone = count == 1;
    const double left = i > 0 ? mean - means[sorted[i - 1]] : (alone ? mean - axis.low : 0);
    const double right =
        i + 1 < count ? means[sorted[i + 1]] - mean : (alone ? axis.high - mean : 0);
    widths[sorted[i]] = std::max(left, right);
  }
  return widths;
}

}  // namespace

Parzen::Parzen(const SearchSpace& space, const std::vector<std::string>& paths,
               const std::vector<const Setting*>& observed)
    : weights_(kernel_weights(observed.size())) {
  for (const std::string& path : paths) {
    std::vector<std::string> values;
    for (const Setting* setting : observed) values.push_back(setting->at(path));
    const Domain& domain = space.at(path);
    if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) {
      dimensions_.push_back({path, categorical(*choice, values)});
    } else {
      dimensions_.push_back({path, numeric(domain, values)});
    }
  }
}

Parzen::Numeric Parzen::numeric(const Domain& domain, const std::vector<std::string>& observed) {
  Numeric kernels{.axis = axis_of(domain), .means = {}, .widths = {}};
  const Axis& axis = kernels.axis;
  for (const std::string& value : observed) kernels.means.push_back(axis.place(value));
  kernels.widths = gaps(kernels.means, axis);
  const double count = static_cast<double>(observed.size()) + 1;
  const double narrowest = axis.width() * std::max(kNarrowest, 1 / (1 + count));
  for (double& width : kernels.widths) width = std::clamp(width, narrowest, axis.width());
  kernels.means.push_back((axis.low + axis.high) / 2);
  kernels.widths.push_back(axis.width());
  return kernels;
}

Parzen::Categorical Parzen::categorical(const ChoiceDomain& domain,
                                        const std::vector<std::string>& observed) {
  Categorical kernels{.values = domain.values.items, .probabilities = {}};
  const auto choices = static_cast<double>(kernels.values.size());
  const double spread = kPriorWeight / (static_cast<double>(observed.size()) + 1);
  for (const std::string& value : observed) {
    std::vector<double>& row = kernels.probabilities.emplace_back();
    for (const std::string& one : kernels.values) {
      row.push_back((spread + (one == value ? 1 : 0)) / (spread * choices + 1));
    }
  }
  kernels.probabilities.emplace_back(kernels.values.size(), 1 / choices);
  return kernels;
}

// The mean lies on the axis and no kernel is wider, so a third of the draws or more are kept.
std::string Parzen::draw(const Numeric& kernels, size_t kernel, Draws& draws) {
  const Axis& axis = kernels.axis;
  while (true) {
    const double place = kernels.means[kernel] + draws.normal() * kernels.widths[kernel];
    if (place >= axis.low && place <= axis.high) return axis.value_at(place);
  }
}

std::string Parzen::draw(const Categorical& kernels, size_t kernel, Draws& draws) {
  return kernels.values[draws.weighted(kernels.probabilities[kernel])];
}

double Parzen::log_density(const Numeric& kernels, size_t kernel, const std::string& value) {
  const Axis& axis = kernels.axis;
  const double mean = kernels.means[kernel];
  const double width = kernels.widths[kernel];
  const double place = axis.place(value);
  const double inside = std::log(mass(mean, width, axis.low, axis.high));
  if (axis.whole) {
    return std::log(mass(mean, width, axis.lower_edge(place), axis.upper_edge(place))) - inside;
  }
  return log_normal_density((place - mean) / width) - std::log(width) - inside;
}

double Parzen::log_density(const Categorical& kernels, size_t kernel, const std::string& value) {
  const auto found = std::find(kernels.values.begin(), kernels.values.end(), value);
  return std::log(
      kernels.probabilities[kernel][static_cast<size_t>(found - kernels.values.begin())]);
}

Setting Parzen::draw(Draws& draws) const {
  const size_t kernel = draws.weighted(weights_);
  Setting setting;
  for (const Dimension& dimension : dimensions_) {
    setting[dimension.path] = std::visit(
        [&](const auto& kernels) { return draw(kernels, kernel, draws); }, dimension.kernels);
  }
  return setting;
}

double Parzen::log_density(const Setting& setting) const {
  std::vector<double> terms;
  for (size_t kernel = 0; kernel < weights_.size(); ++kernel) {
    double term = std::log(weights_[kernel]);
    for (const Dimension& dimension : dimensions_) {
      const std::string& value = setting.at(dimension.path);
      term += std::visit([&](const auto& kernels) { return log_density(kernels, kernel, value); },
                         dimension.kernels);
    }
    terms.push_back(term);
  }
  const double largest = *std::max_element(terms.begin(), terms.end());
  double sum = 0;
  for (const double term : terms) sum += std::exp(term - largest);
  return largest + std::log(sum);
}

}  // namespace prefixmem::sweep
