// pmt over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/tls/credentials.h"
#include "tests/unit/client/pmt_runner.h"
#include "tests/unit/common/certificates.h"

namespace prefixmem::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PmtTls : public testing::Test {
 protected:
  Outcome list(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"list", "--server", service_.address()});
    return pmt_.run_as_is(arguments);
  }

  const Authority authority_;
  FakeService service_{*tls::server_credentials(authority_.server())};
  Pmt pmt_;
};

TEST_F(PmtTls, DialsWithTlsWhereAnAuthorityIsNamed) {
  const Outcome done = list({"--tls-ca", authority_.ca()});
  EXPECT_EQ(done.code, 0) << done.err;
}

TEST_F(PmtTls, TheEnvironmentMayNameIt) {
  ASSERT_EQ(setenv("PREFIXMEM_TLS_CA", authority_.ca().c_str(), 1), 0);
  const Outcome done = list({});
  const Outcome other = list({"--tls-ca", Authority().ca()});
  ASSERT_EQ(unsetenv("PREFIXMEM_TLS_CA"), 0);
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(other.code, 16) << "the option stands above the environment";
}

TEST_F(PmtTls, AnotherAuthorityAndNoTlsFindNoAnswer) {
  const Authority other;
  for (const auto& done : {list({"--tls-ca", other.ca()}), list({})}) {
    EXPECT_EQ(done.code, 16);
    EXPECT_THAT(done.err, StartsWith("pmt: no answer from the coordinator at "));
  }
}

TEST_F(PmtTls, ABadFileIsNamed) {
  const Outcome gone = list({"--tls-ca", "/nowhere/ca.crt"});
  EXPECT_EQ(gone.code, 12);
  EXPECT_THAT(gone.err, HasSubstr("--tls-ca: opening /nowhere/ca.crt: No such file"));
  const Outcome key = list({"--tls-ca", authority_.key("ca")});
  EXPECT_EQ(key.code, 11);
  EXPECT_THAT(key.err, HasSubstr("holds no certificate; allowed: certificates in PEM"));
}

}  // namespace
}  // namespace prefixmem::client
