#include "coordinator/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/http/same_origin.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Exposure, KnowsLoopback) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "localhost", "[::1]"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "[::]", "10.0.0.1", "128.0.0.1", "trainer.example",
                           "127.0.0.1.example", "localhost.example", "*"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(Exposure, OfLoopbackThereIsNone) { EXPECT_THAT(*exposures(ServiceOptions()), IsEmpty()); }

TEST(Exposure, AnotherAddressNeedsTokens) {
  ServiceOptions options;
  options.listen = "0.0.0.0:7070";
  EXPECT_THAT(*exposures(options),
              ElementsAre(HasSubstr("--listen is 0.0.0.0:7070, where whoever reaches it may run")));
  options.tls = {.cert = "c", .key = "k", .client_ca = "ca"};
  EXPECT_EQ(exposures(options)->size(), 1u) << "TLS asks users nothing";
  options.auth = "tokens";
  EXPECT_THAT(*exposures(options), IsEmpty());
}

TEST(Exposure, ThePageNeedsTokensAndTls) {
  ServiceOptions options;
  options.http = "10.0.0.1:7071";
  EXPECT_THAT(*exposures(options), ElementsAre(HasSubstr("--http is 10.0.0.1:7071")));
  options.tls = {.cert = "c", .key = "k", .client_ca = "ca"};
  options.auth = "tokens";
  EXPECT_THAT(*exposures(options), ElementsAre(HasSubstr("tokens and jobs go without TLS")));
  options.http_tls = true;
  EXPECT_THAT(*exposures(options), IsEmpty());
  options.auth = "none";
  options.listen = "127.0.0.1:0";
  EXPECT_THAT(*exposures(options), ElementsAre(HasSubstr("whoever reaches it sees all jobs")));
}

TEST(Exposure, TokensNeedTlsAndCertificatesOfWorkers) {
  ServiceOptions options;
  options.auth = "tokens";
  EXPECT_EQ(exposures(options).status().code(), Code::kInvalidArgument);
  options.tls = {.cert = "c", .key = "k", .client_ca = ""};
  EXPECT_THAT(
      exposures(options).status().message(),
      HasSubstr("--auth tokens is given without --tls-cert, --tls-key and --tls-client-ca"));
  options.auth = "password";
  EXPECT_THAT(exposures(options).status().message(),
              HasSubstr("--auth is password; allowed: none or tokens"));
}

}  // namespace
}  // namespace prefixmem
