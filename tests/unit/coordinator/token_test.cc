#include "coordinator/auth/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "coordinator/auth/token_book.h"

namespace prefixmem::auth {
namespace {

using testing::HasSubstr;

v1::CreateTokenRequest request(const std::string& name = "alice", v1::Role role = v1::ROLE_VIEWER,
                               int days = 2) {
  v1::CreateTokenRequest made;
  made.set_name(name);
  made.set_role(role);
  made.set_days(days);
  return made;
}

TEST(Token, ASecretHas256BitsAndIsNeverTheSame) {
  uint64_t next = 0x0123456789abcdef;
  EXPECT_EQ(new_secret([&] { return next++; }),
            "pmt_0123456789abcdef0123456789abcdf00123456789abcdf10123456789abcdf2");
  EXPECT_NE(new_secret(), new_secret());
}

TEST(Token, WhatIsAskedForIsChecked) {
  const FakeClock clock;
  const auto refusal = [&](const v1::CreateTokenRequest& asked) {
    const Status status = new_token(asked, clock.wall()).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal(request("")), HasSubstr("name is \"\"; allowed: 1 to 64 letters"));
  EXPECT_THAT(refusal(request("a b")), HasSubstr("name is \"a b\""));
  EXPECT_THAT(refusal(request(std::string(65, 'a'))), HasSubstr("name is \"aaa"));
  EXPECT_THAT(refusal(request("a", v1::ROLE_UNSPECIFIED)),
              HasSubstr("role is 0; allowed: viewer, submitter or admin"));
  EXPECT_THAT(refusal(request("a", static_cast<v1::Role>(9))), HasSubstr("role is 9"));
  EXPECT_THAT(refusal(request("a", v1::ROLE_ADMIN, 0)), HasSubstr("days is 0; allowed: a number"));
  EXPECT_THAT(refusal(request("a", v1::ROLE_ADMIN, 3651)), HasSubstr("days is 3651"));
  EXPECT_TRUE(new_token(request("a.b-c_d@e"), clock.wall()).ok());
  v1::CreateTokenRequest of_tenant = request();
  of_tenant.set_tenant("a b");
  EXPECT_THAT(refusal(of_tenant), HasSubstr("tenant is \"a b\"; allowed: 1 to 64"));
  of_tenant.set_tenant("vision");
  EXPECT_EQ(new_token(of_tenant, clock.wall())->tenant(), "vision");
  EXPECT_EQ(new_token(request(), clock.wall())->tenant(), "default");
}

TEST(Token, StopsWhatIsOfItsTenantOrAnAdminsAnything) {
  const FakeClock clock;
  v1::CreateTokenRequest asked = request("alice", v1::ROLE_SUBMITTER);
  asked.set_tenant("vision");
  v1::Token token = *new_token(asked, clock.wall());
  EXPECT_TRUE(may_change(token, "job j", "vision").ok());
  EXPECT_EQ(may_change(token, "job j", "default").to_string(),
            "FAILED_PRECONDITION: token " + token.id() +
                " (alice) is of tenant vision and job j of tenant default; only an admin changes "
                "what is of another tenant");
  token.set_role(v1::ROLE_ADMIN);
  EXPECT_TRUE(may_change(token, "job j", "default").ok());
  v1::Token old;
  EXPECT_TRUE(may_change(old, "job j", "default").ok()) << "it names no tenant";
}

TEST(Token, CountsUntilItsEndOrItsRevocation) {
  FakeClock clock;
  TokenBook book(clock);
  TokenRecord record{sha256_hex("pmt_secret"), *new_token(request(), clock.wall())};
  book.put(record);
  EXPECT_EQ(book.owner("pmt_secret")->id(), record.token.id());
  EXPECT_EQ(book.owner("pmt_other").status().message(), "the token is none of this coordinator's");
  EXPECT_FALSE(book.owner("").ok());
  clock.advance(std::chrono::hours(48) - Millis(1));
  EXPECT_TRUE(book.owner("pmt_secret").ok());
  clock.advance(Millis(1));
  EXPECT_EQ(book.owner("pmt_secret").status().message(),
            "token " + record.token.id() + " (alice) has expired at 2026-01-03T00:00:00Z");
  EXPECT_EQ(book.whose("pmt_secret")->name(), "alice");
  *record.token.mutable_revoke_time() = to_timestamp(clock.wall());
  book.put(record);
  EXPECT_EQ(book.owner("pmt_secret").status().message(),
            "token " + record.token.id() + " (alice) was revoked at 2026-01-03T00:00:00Z");
}

}  // namespace
}  // namespace prefixmem::auth
