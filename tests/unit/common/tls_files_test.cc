#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "common/files.h"
#include "tests/unit/common/certificates.h"

namespace prefixmem::tls {
namespace {

using testing::HasSubstr;

class TlsFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::string file = authority_.prefix(name);
    EXPECT_TRUE(write_file_atomic(file, text).ok());
    return file;
  }
  // The refusal of these files.
  template <class Files>
  static std::string refusal(const Files& files, Code code = Code::kInvalidArgument) {
    const Status status = check(files);
    EXPECT_EQ(status.code(), code) << status.message();
    return status.message();
  }

  const Authority authority_;
  const ServerFiles server_ = authority_.server();
};

TEST_F(TlsFiles, GoodOnesPass) {
  EXPECT_TRUE(check(ServerFiles()).ok());
  EXPECT_TRUE(check(ClientFiles()).ok());
  EXPECT_TRUE(check(server_).ok());
  EXPECT_TRUE(check(ServerFiles{server_.cert, server_.key, authority_.ca()}).ok());
  EXPECT_TRUE(check(authority_.client()).ok());
  EXPECT_TRUE(check(authority_.client_as("worker")).ok());
}

TEST_F(TlsFiles, AFlagWithoutItsCompanionIsRefused) {
  EXPECT_EQ(refusal(ServerFiles{server_.cert, "", ""}),
            "--tls-cert is given without --tls-key; allowed: both or neither");
  EXPECT_EQ(refusal(ServerFiles{"", server_.key, ""}),
            "--tls-key is given without --tls-cert; allowed: both or neither");
  EXPECT_THAT(refusal(ServerFiles{"", "", authority_.ca()}),
              HasSubstr("--tls-client-ca is given without --tls-cert and --tls-key"));
  EXPECT_THAT(refusal(ClientFiles{"", server_.cert, server_.key}),
              HasSubstr("--tls-cert and --tls-key are given without --tls-ca"));
}

TEST_F(TlsFiles, AFileThatIsNotThereIsNamedWithItsFlag) {
  EXPECT_THAT(refusal(ServerFiles{"/nowhere/a.crt", server_.key, ""}, Code::kNotFound),
              HasSubstr("--tls-cert: opening /nowhere/a.crt: No such file"));
  EXPECT_THAT(refusal(ServerFiles{server_.cert, "/nowhere/a.key", ""}, Code::kNotFound),
              HasSubstr("--tls-key: opening /nowhere/a.key: No such file"));
  EXPECT_THAT(refusal(ServerFiles{server_.cert, server_.key, "/nowhere/ca"}, Code::kNotFound),
              HasSubstr("--tls-client-ca: opening /nowhere/ca: No such file"));
  EXPECT_THAT(refusal(ClientFiles{"/nowhere/ca", "", ""}, Code::kNotFound),
              HasSubstr("--tls-ca: opening /nowhere/ca: No such file"));
}

TEST_F(TlsFiles, WhatIsInAFileIsChecked) {
  EXPECT_THAT(refusal(ServerFiles{server_.key, server_.key, ""}),
              HasSubstr("--tls-cert " + server_.key + " holds no certificate"));
  EXPECT_THAT(refusal(ServerFiles{server_.cert, server_.cert, ""}),
              HasSubstr("--tls-key " + server_.cert + " holds no private key"));
  EXPECT_THAT(refusal(ClientFiles{write("empty", ""), "", ""}), HasSubstr("holds no certificate"));
  const std::string good = *read_file(server_.cert);
  const std::string damaged = write("damaged", good + good.substr(0, 60) + "\n" + good.substr(90));
  EXPECT_THAT(refusal(ClientFiles{damaged, "", ""}),
              HasSubstr("--tls-ca " + damaged + ": its certificate number 2 is damaged"));
}

TEST_F(TlsFiles, AKeyBelongsToItsCertificate) {
  authority_.issue("other");
  EXPECT_EQ(refusal(ServerFiles{server_.cert, authority_.key("other"), ""}),
            "--tls-key " + authority_.key("other") +
                " is not the key of the first certificate in --tls-cert " + server_.cert);
}

TEST_F(TlsFiles, AKeyWithAPasswordIsRefusedAndNobodyIsAsked) {
  const std::string locked = authority_.prefix("locked");
  run_command("openssl ec -in " + server_.key + " -aes128 -passout pass:secret -out " + locked +
              " 2>/dev/null");
  EXPECT_THAT(refusal(ServerFiles{server_.cert, locked, ""}),
              HasSubstr("--tls-key " + locked + " holds a key with a password"));
}

TEST_F(TlsFiles, AnExpiredCertificateIsRefusedWithItsDay) {
  authority_.issue("old", -1);
  EXPECT_THAT(
      refusal(ServerFiles{authority_.cert("old"), authority_.key("old"), ""}),
      testing::ContainsRegex("--tls-cert .*old.crt has expired on [0-9]{4}-[0-9]{2}-[0-9]{2}"));
}

TEST_F(TlsFiles, ExpiryIsThatOfTheFirstOfAChainAndTheLastOfTheAuthorities) {
  authority_.issue("long", 30);
  const std::string both =
      write("both", *read_file(authority_.cert("long")) + *read_file(server_.cert));
  const int64_t today = std::time(nullptr);
  const auto days = [&](const Expiry& one) { return (one.time - today + 3600) / 86400; };
  const auto server = expiries(ServerFiles{both, authority_.key("long"), both});
  ASSERT_EQ(server.size(), 2U);
  EXPECT_EQ(server[0].option, "--tls-cert");
  EXPECT_EQ(days(server[0]), 1);
  EXPECT_EQ(server[1].option, "--tls-client-ca");
  EXPECT_EQ(days(server[1]), 30);
  const auto client = expiries(ClientFiles{"/nowhere/ca", server_.cert, server_.key});
  ASSERT_EQ(client.size(), 2U);
  EXPECT_EQ(days(client[0]), 1);
  EXPECT_EQ(client[1].option, "--tls-ca");
  EXPECT_EQ(client[1].time, 0) << "it cannot be read";
  EXPECT_TRUE(expiries(ServerFiles()).empty());
}

}  // namespace
}  // namespace prefixmem::tls
