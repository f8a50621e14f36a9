#include "worker/agent/inputs/roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// models/m/config.json below the root, secret beside it.
class RootsTest : public testing::Test {
 protected:
  RootsTest() {
    fs::create_directories(models_ / "m");
    std::ofstream(models_ / "m" / "config.json") << "{}";
    std::ofstream(folder_.path() / "secret") << "key";
    roots_ = *Roots::parse({"models=" + models_.string()});
  }
  Status refusal(const std::string& text) const { return roots_.resolve(text).status(); }

  const TempFolder folder_;
  const fs::path models_ = folder_.path() / "models";
  Roots roots_ = *Roots::parse({});
};

TEST_F(RootsTest, NamesWhatLiesBelow) {
  EXPECT_EQ(*roots_.resolve("root://models/m/config.json"),
            fs::canonical(models_) / "m" / "config.json");
  EXPECT_EQ(*roots_.resolve("root://models/m"), fs::canonical(models_) / "m");
  EXPECT_EQ(*roots_.resolve("root://models"), fs::canonical(models_));
}

TEST_F(RootsTest, PathsThatClimbOutAreRefused) {
  for (const char* text : {"root://models/../secret", "root://models/m/../../secret",
                           "root://models/../models2", "root://models/../../../etc/passwd"}) {
    const Status status = refusal(text);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), HasSubstr("does not stay below its root"));
  }
}

TEST_F(RootsTest, LinksThatClimbOutAreRefused) {
  fs::create_symlink("../secret", models_ / "file");
  fs::create_directory_symlink("..", models_ / "up");
  fs::create_symlink("/etc", models_ / "etc");
  for (const char* text :
       {"root://models/file", "root://models/up/secret", "root://models/etc/passwd"}) {
    EXPECT_EQ(refusal(text).code(), Code::kInvalidArgument) << text;
  }
  fs::create_directory_symlink("m", models_ / "newest");
  EXPECT_EQ(*roots_.resolve("root://models/newest"), fs::canonical(models_) / "m")
      << "one that stays inside is no harm";
}

TEST_F(RootsTest, SaysWhichRootsThereAre) {
  EXPECT_EQ(refusal("root://data/x").message(),
            "\"root://data/x\" names no root of this worker; allowed: root://models/…");
  EXPECT_THAT(Roots::parse({})->resolve("root://data/x").status().message(),
              HasSubstr("started without --root"));
  EXPECT_EQ(refusal("root://models/none").code(), Code::kNotFound);
}

TEST_F(RootsTest, FlagsAreChecked) {
  const std::string folder = models_.string();
  for (const std::string& bad :
       {std::string("models"), std::string("models="), "=" + folder, "a/b=" + folder}) {
    EXPECT_EQ(Roots::parse({bad}).status().code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(Roots::parse({"a=" + folder, "a=" + folder}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Roots::parse({"a=" + folder + "/none"}).status().code(), Code::kNotFound);
  EXPECT_EQ(Roots::parse({"a=" + folder + "/m/config.json"}).status().code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace prefixmem::agent
