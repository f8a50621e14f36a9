#include "worker/trainer/diagnosis/spectrum.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace prefixmem::trainer {
namespace {

constexpr double kRounding = 1e-13;
constexpr double kEnergy = 0.9;
constexpr double kSlack = 1e-12;  // so that nine equal values of ten are 90 % of them

double effective_rank(const std::vector<double>& eigenvalues) {
  double sum = 0, entropy = 0;
  for (const double value : eigenvalues) sum += std::sqrt(value);
  for (const double value : eigenvalues) {
    const double p = std::sqrt(value) / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  return sum > 0 ? std::exp(entropy) : 0;
}

int64_t values_for(double share, const std::vector<double>& eigenvalues) {
  const double wanted = share * std::accumulate(eigenvalues.begin(), eigenvalues.end(), 0.0);
  double sum = 0;
  int64_t count = 0;
  while (sum < wanted * (1 - kSlack)) sum += eigenvalues[count++];
  return count;
}

}  // namespace

Spectrum spectrum_of(const torch::Tensor& vectors) {
  const torch::Tensor all = vectors.to(at::kDouble), mean = all.mean(0);
  const auto count = static_cast<double>(all.size(0));
  const double energy = all.square().sum().item<double>() / count;
  const torch::Tensor singular = at::linalg_svdvals(all - mean).contiguous();
  Spectrum spectrum;
  spectrum.eigenvalues.assign(all.size(1), 0);
  for (int64_t i = 0; i < singular.numel(); ++i) {
    const double value = std::pow(singular.const_data_ptr<double>()[i], 2) / count;
    if (value >= kRounding * energy) spectrum.eigenvalues[i] = value;
  }
  spectrum.effective_rank = effective_rank(spectrum.eigenvalues);
  spectrum.values_for_90_percent = values_for(kEnergy, spectrum.eigenvalues);
  spectrum.constant_share = mean.square().sum().item<double>() / energy;
  return spectrum;
}

}  // namespace prefixmem::trainer
