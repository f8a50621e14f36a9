#include "common/proto/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem {
namespace {

using testing::ElementsAre;

TEST(Role, NamesAreThoseOfTheApiAndReadBack) {
  EXPECT_THAT(role_names(), ElementsAre("viewer", "submitter", "admin"));
  for (const std::string& name : role_names()) {
    const auto role = role_from_name(name);
    ASSERT_TRUE(role) << name;
    EXPECT_EQ(role_name(*role), name);
  }
}

TEST(Role, WhatNoTokenMayHaveHasNoNameToAskFor) {
  EXPECT_EQ(role_from_name("unspecified"), std::nullopt);
  EXPECT_EQ(role_from_name("Admin"), std::nullopt);
  EXPECT_EQ(role_name(static_cast<v1::Role>(42)), "role 42");
}

}  // namespace
}  // namespace prefixmem
