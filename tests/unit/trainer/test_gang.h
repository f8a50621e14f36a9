// The gang that the tests of a process share: of one alone, of N under `mpirun -n N`.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// MPI starts once a process: the gang is made before the first test and ends after the last one.
inline std::unique_ptr<Collective>& test_gang() {
  static std::unique_ptr<Collective> gang;
  return gang;
}

class GangEnvironment : public ::testing::Environment {
  void SetUp() override {
    test_gang() = std::move(make_collective({.device = Device::kCpu})).value();
  }
  void TearDown() override { test_gang().reset(); }
};
inline const auto* const kGangEnvironment =
    ::testing::AddGlobalTestEnvironment(new GangEnvironment);

}  // namespace prefixmem::trainer
