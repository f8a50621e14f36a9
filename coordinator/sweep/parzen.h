// A density over settings, estimated from some: a mixture with one kernel around each and a broad
// one, the prior, over everything.
#pragma once

#include <string>
#include <vector>

#include "coordinator/sweep/axis.h"
#include "coordinator/sweep/draws.h"
#include "coordinator/sweep/history.h"

namespace prefixmem::sweep {

class Parzen {
 public:
  // Over the keys `paths` of the space, from settings that have all of them, oldest first. Of more
  // than 25 the older ones weigh less.
  Parzen(const SearchSpace& space, const std::vector<std::string>& paths,
         const std::vector<const Setting*>& observed);

  // Values of `paths`.
  Setting draw(Draws& draws) const;
  double log_density(const Setting& setting) const;

 private:
  // A Gaussian for each observation, cut off at the ends of the axis, as wide as the gap to its
  // farther neighbour.
  struct Numeric {
    Axis axis;
    std::vector<double> means;
    std::vector<double> widths;
  };
  // For each kernel the probability of each value.
  struct Categorical {
    std::vector<std::string> values;
    std::vector<std::vector<double>> probabilities;
  };
  struct Dimension {
    std::string path;
    std::variant<Numeric, Categorical> kernels;
  };

  static Numeric numeric(const Domain& domain, const std::vector<std::string>& observed);
  static Categorical categorical(const ChoiceDomain& domain,
                                 const std::vector<std::string>& observed);
  static std::string draw(const Numeric& kernels, size_t kernel, Draws& draws);
  static std::string draw(const Categorical& kernels, size_t kernel, Draws& draws);
  static double log_density(const Numeric& kernels, size_t kernel, const std::string& value);
  static double log_density(const Categorical& kernels, size_t kernel, const std::string& value);

  std::vector<Dimension> dimensions_;
  std::vector<double> weights_;  // of the kernels, the prior's last; their sum is 1
};

}  // namespace prefixmem::sweep
