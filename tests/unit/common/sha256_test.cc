#include "common/sha256.h"

#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

// FIPS 180-4 examples.
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), kEmpty);
  EXPECT_EQ(sha256_hex("abc"), kAbc);
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  Sha256 sha;
  sha.update("a");
  Sha256 moved = std::move(sha);
  moved.update("bc");
  EXPECT_EQ(moved.finish_hex(), kAbc);
}

TEST(IsSha256, TakesSixtyFourLowerCaseHexDigits) {
  const std::string digest = kAbc;
  EXPECT_TRUE(is_sha256(digest));
  EXPECT_FALSE(is_sha256(""));
  EXPECT_FALSE(is_sha256(digest.substr(1)));
  EXPECT_FALSE(is_sha256(digest + "0"));
  EXPECT_FALSE(is_sha256("../" + digest.substr(3)));
  EXPECT_FALSE(is_sha256("A" + std::string(63, '0')));
}

TEST(Sha256, OfAFile) {
  const TempFolder folder;
  const std::string bytes(3000000, 'z');
  ASSERT_TRUE(write_file_atomic(folder.path() / "a", bytes).ok());
  EXPECT_EQ(*sha256_of_file(folder.path() / "a"), sha256_hex(bytes));
  EXPECT_EQ(sha256_of_file(folder.path() / "b").status().code(), Code::kNotFound);
  EXPECT_FALSE(sha256_of_file(folder.path()).ok());
}

}  // namespace
}  // namespace prefixmem
