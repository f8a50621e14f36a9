// What an adapter does to the attention of a model, in numbers. docs/diagnostics.md says how to
// read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/trainer/diagnosis/spectrum.h"

namespace prefixmem::trainer {

// A term b_i that a layer adds to its attention's output at each position i.
struct Term {
  enum class Kind {
    kMemory,        // PrefixMemory, scope head: M^T phi(q_i), arXiv 2506.13674
    kHiddenMemory,  // PrefixMemory, scope hidden: M^T phi(x_i), behind o_proj
    kPrefix,        // Prefix-Tuning: alpha_i · attention(q_i, prefix), the prefix's part of the sum
                    // over all values
  };
  Kind kind = Kind::kMemory;
  // One a head; of kHiddenMemory one. The size is the Frobenius norm of the term over that of the
  // base's attention output (of kHiddenMemory: behind o_proj).
  std::vector<double> sizes;
  std::vector<Spectrum> spectra;
};

// Changes are of the adapted model from the base on the same rows. Means are over the positions of
// all rows.
struct HeadDiagnosis {
  double output_change = 0;     // |adapted - base| / |base|, Frobenius, of what o_proj reads
  double map_change = 0;        // mean total variation of the map over prefix and input
  double input_map_change = 0;  // the same over the input alone, each map made to sum to 1
  double prefix_mass = 0;       // mean alpha_i
};

struct LayerDiagnosis {
  double output_change = 0;  // of what the attention block gives, behind o_proj
  std::vector<HeadDiagnosis> heads;
  // By a token's place in its row: means over heads and over the rows that are so long.
  std::vector<double> map_change_by_position, prefix_mass_by_position;
  std::vector<Term> terms;  // at most one of each kind
};

struct Diagnosis {
  std::string method;         // method_name(), "full" of a whole model
  std::string base_model;     // as it was opened
  int64_t rows = 0;           // looked at
  int64_t tokens = 0;         // of them together
  int64_t prefix_length = 0;  // virtual tokens; 0: no prefix
  std::vector<LayerDiagnosis> layers;
};

}  // namespace prefixmem::trainer
