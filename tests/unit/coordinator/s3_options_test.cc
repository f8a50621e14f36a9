#include "coordinator/store/s3/options.h"

#include <gtest/gtest.h>

#include <map>

#include "coordinator/store/s3/request.h"
#include "coordinator/store/s3/xml.h"

namespace prefixmem::store::s3 {
namespace {

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

const Environment kKeys =
    environment({{"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "secret"}});

std::string refusal(const Flags& flags, const Environment& variables = kKeys) {
  return read_options(flags, variables).status().to_string();
}

TEST(S3OptionsTest, AreThoseOfFlagsAndEnvironment) {
  const auto variables = environment({{"AWS_ACCESS_KEY_ID", "AKIA"},
                                      {"AWS_SECRET_ACCESS_KEY", "secret"},
                                      {"AWS_SESSION_TOKEN", "for a while"},
                                      {"AWS_CA_BUNDLE", "/etc/ca.pem"}});
  const auto options =
      read_options({"s3://files.example/team/a/", "http://127.0.0.1:9000/", "eu-1"}, variables);
  ASSERT_TRUE(options.ok()) << options.status().message();
  EXPECT_EQ(options->bucket, "files.example");
  EXPECT_EQ(options->prefix, "team/a/");
  EXPECT_EQ(options->place(), "s3://files.example/team/a/");
  EXPECT_EQ(options->endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(options->region, "eu-1");
  EXPECT_EQ(options->credentials.access_key, "AKIA");
  EXPECT_EQ(options->credentials.secret_key, "secret");
  EXPECT_EQ(options->credentials.session_token, "for a while");
  EXPECT_EQ(options->ca_file, "/etc/ca.pem");
}

TEST(S3OptionsTest, AmazonsUnlessAnotherIsNamed) {
  const auto options = read_options({"s3://files", "", ""}, kKeys);
  ASSERT_TRUE(options.ok()) << options.status().message();
  EXPECT_EQ(options->prefix, "");
  EXPECT_EQ(options->endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(read_options({"s3://files", "", "eu-north-1"}, kKeys)->endpoint,
            "https://s3.eu-north-1.amazonaws.com");
}

TEST(S3OptionsTest, WhatIsNoBucketIsRefused) {
  for (const std::string blobs :
       {"files", "s3://", "s3:///x", "s3://a b", "s3://a/../b", "s3://a//b", "s3://a/b?c"}) {
    const std::string said = refusal({blobs, "", ""});
    EXPECT_TRUE(
        said.starts_with("INVALID_ARGUMENT: --blobs is " + blobs + "; allowed: s3://BUCKET"))
        << said;
  }
  for (const std::string endpoint :
       {"127.0.0.1:9000", "ftp://a", "http://", "http://u:p@a", "https://a/b"}) {
    const std::string said = refusal({"s3://a", endpoint, ""});
    EXPECT_TRUE(said.starts_with("INVALID_ARGUMENT: --s3-endpoint is " + endpoint)) << said;
  }
  EXPECT_TRUE(refusal({"s3://a", "", "eu/1"}).starts_with("INVALID_ARGUMENT: --s3-region is eu/1"));
}

TEST(S3OptionsTest, WithoutAKeyThereIsNothingToSignWith) {
  EXPECT_EQ(refusal({"s3://a", "", ""}, environment({})),
            "FAILED_PRECONDITION: AWS_ACCESS_KEY_ID is not set in the environment; --blobs s3://… "
            "needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  EXPECT_TRUE(refusal({"s3://a", "", ""}, environment({{"AWS_ACCESS_KEY_ID", "AKIA"}}))
                  .starts_with("FAILED_PRECONDITION: AWS_SECRET_ACCESS_KEY is not set"));
}

TEST(S3RequestTest, IsWrittenAsItIsSigned) {
  EXPECT_EQ(target_of("b", {}), "/b");
  EXPECT_EQ(target_of("b", {.key = "a b/c+d~", .query = {{"uploads", ""}, {"prefix", "x/y="}}}),
            "/b/a%20b/c%2Bd~?prefix=x%2Fy%3D&uploads=");
}

TEST(S3XmlTest, GivesElementsAndTheirText) {
  const std::string xml =
      "<?xml version=\"1.0\"?><List xmlns=\"http://a\"><KeyCount>2</KeyCount>"
      "<Contents><Key>a&amp;b</Key><Size>1</Size></Contents>"
      "<Contents><Key>c</Key><Size>22</Size></Contents><Token>x&#34;&lt;</Token></List>";
  const auto contents = elements(xml, "Contents");
  ASSERT_EQ(contents.size(), 2U);
  EXPECT_EQ(text_of(contents[0], "Key"), "a&b");
  EXPECT_EQ(text_of(contents[1], "Size"), "22");
  EXPECT_EQ(text_of(xml, "Key"), "a&b") << "KeyCount is another";
  EXPECT_EQ(text_of(xml, "Token"), "x\"<");
  EXPECT_EQ(text_of(xml, "Nothing"), "");
  EXPECT_EQ(elements(xml, "List").size(), 1U) << "with attributes";
  EXPECT_TRUE(elements("<Contents><Key>cut off", "Contents").empty());
}

}  // namespace
}  // namespace prefixmem::store::s3
