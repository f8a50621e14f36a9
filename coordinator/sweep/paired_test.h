// Whether one method is better than another by more than chance, from scores in pairs.
#pragma once

#include <vector>

namespace prefixmem::sweep {

struct PairedTest {
  int pairs = 0;       // differences that are not 0 and not NaN
  double p_value = 1;  // two-sided
};

// Wilcoxon's signed-rank test (Wilcoxon 1945, Biometrics Bulletin 1(6); for comparisons over data
// sets Demsar 2006, JMLR 7) of differences that are symmetric around 0 under the null hypothesis.
// Zeros are left out, equal sizes share the mean of their ranks. Exact, ties too, up to
// kMostExact pairs; beyond it the normal approximation with the variance corrected for ties. Pure.
PairedTest signed_rank_test(const std::vector<double>& differences);

inline constexpr int kMostExact = 100;

}  // namespace prefixmem::sweep
