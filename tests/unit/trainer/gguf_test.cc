// Reading and refusing GGUF files.
#include "worker/trainer/model/gguf_file.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/trainer/gguf_bytes.h"
#include "tests/unit/trainer/scratch_folder.h"

namespace prefixmem::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

GgufBytes some_file() {
  GgufBytes file;
  file.text("general.architecture", "llama");
  file.number("llama.block_count", uint32_t{2});
  file.tensor("a", {3, 2}, kF32, floats({1, 2, 3, 4, 5, 6}));
  file.tensor("b", {32}, kQ80, q8_0_block());
  return file;
}

std::string reason(const std::string& bytes) {
  const Status status = parse_gguf_header(bytes).status();
  EXPECT_EQ(status.code(), Code::kDataLoss) << status.to_string();
  return status.message();
}

TEST(Gguf, ReadsMetadataOfEveryType) {
  GgufBytes file;
  file.number("u8", uint8_t{200});
  file.number("i8", int8_t{-3});
  file.number("i16", int16_t{-300});
  file.number("u64", ~uint64_t{0});
  file.number("f32", 1e-6F);
  file.number("f64", 0.1);
  file.flag("bool", 1);
  file.text("text", "Köln");
  file.list("bools", kBoolType, 3, {"\1\0\1", 3});
  const std::string bytes = file.bytes();
  const auto header = parse_gguf_header(bytes);
  ASSERT_TRUE(header.ok()) << header.status().to_string();
  EXPECT_EQ(header->metadata.dump(),
            R"({"bool":true,"bools":[true,false,true],"f32":1e-06,"f64":0.1,"i16":-300,"i8":-3,)"
            R"("text":"Köln","u64":18446744073709551615,"u8":200})");
}

TEST(Gguf, LongTextsAndListsAreCheckedNotKept) {
  GgufBytes file;
  file.text("template", std::string(70000, 'x'));
  file.list("scores", kFloatType, 5000, std::string(20000, '\0'));
  const std::string bytes = file.bytes();
  const auto header = parse_gguf_header(bytes);
  ASSERT_TRUE(header.ok()) << header.status().to_string();
  EXPECT_EQ(header->metadata.dump(), R"({"scores":null,"template":null})");
}

TEST(Gguf, TensorsAreViewsWhereTheyCanBe) {
  const ScratchFolder scratch;
  at::Tensor first, second;
  {
    const auto file = GgufFile::open(scratch.write("m.gguf", some_file().bytes()));
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    first = *file->tensor("a", at::kFloat);
    second = *file->tensor("a", at::kFloat);
  }
  EXPECT_EQ(first.const_data_ptr(), second.const_data_ptr());
  EXPECT_TRUE(at::equal(first, at::arange(1, 7, at::kFloat).view({2, 3})));
}

TEST(Gguf, ReadsWhatIsNotAligned) {
  const std::string bytes = "x" + some_file().bytes();
  const auto file = GgufFile::over(std::string_view(bytes).substr(1));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->tensor("a", at::kFloat)->sum().item<float>(), 21);
}

TEST(Gguf, UnpacksToTheDtypeAskedFor) {
  const std::string bytes = some_file().bytes();
  const auto file = GgufFile::over(bytes);
  ASSERT_TRUE(file.ok());
  const at::Tensor exact = *file->tensor("b", at::kFloat);
  EXPECT_EQ(exact[0].item<float>(), -16 * 0.25F);
  EXPECT_EQ(exact[31].item<float>(), 15 * 0.25F);
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    EXPECT_TRUE(at::equal(*file->tensor("b", dtype), exact.to(dtype))) << dtype;
  }
}

TEST(Gguf, RefusesTypesThatItCannotReadByName) {
  GgufBytes file;
  file.tensor("w", {256}, kIq2Xs, std::string(74, '\0'));
  const std::string bytes = file.bytes();
  const Status status = GgufFile::over(bytes)->tensor("w", at::kFloat).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "it: tensor w is of type IQ2_XS; allowed: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, "
            "Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K");
  EXPECT_EQ(GgufFile::over(bytes)->tensor("v", at::kFloat).status().code(), Code::kDataLoss);
}

TEST(Gguf, EveryTruncationIsRefused) {
  const std::string whole = some_file().bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);  // so that a sanitizer sees the end
    EXPECT_THAT(reason(cut), AllOf(HasSubstr("holds " + std::to_string(size) + " bytes"),
                                   HasSubstr("cut short")))
        << size;
  }
}

TEST(Gguf, NeitherEndOrBitsOfAnyByteMakeItReadElsewhere) {
  const std::string whole = some_file().bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
      std::string changed = whole;
      changed[at] = value;
      const auto file = GgufFile::over(changed);
      if (!file.ok()) continue;
      for (const auto& [name, entry] : file->tensors()) {
        EXPECT_LE(entry.end, changed.size());
        EXPECT_TRUE(file->tensor(name, at::kFloat).ok() || !entry.type->supported());
      }
    }
  }
}

TEST(Gguf, RefusesOtherFilesByName) {
  EXPECT_EQ(reason("PK\3\4" + std::string(60, '\0')), "it does not begin with GGUF");
  GgufBytes file;
  file.version = 1;
  EXPECT_EQ(reason(file.bytes()), "its version is 1; allowed: 2, 3");
  file.version = 3U << 24;
  EXPECT_THAT(reason(file.bytes()), HasSubstr("big-endian"));
}

TEST(Gguf, RefusesHostileCountsAndLengths) {
  for (const uint64_t count : {uint64_t{1} << 17, uint64_t{1} << 63, ~uint64_t{0}}) {
    GgufBytes tensors, pairs, list, text, key;
    tensors.extra_tensors = count;
    EXPECT_THAT(reason(tensors.bytes()), HasSubstr(std::to_string(count) + " tensors"));
    pairs.extra_pairs = count;
    EXPECT_THAT(reason(pairs.bytes()), HasSubstr(std::to_string(count) + " keys"));
    list.list("k", kFloatType, count, "1234");
    EXPECT_THAT(reason(list.bytes()), AllOf(HasSubstr("\"k\""), HasSubstr("cut short")));
    text.raw("k", kTextType, as_bytes(count) + "abc");
    EXPECT_THAT(reason(text.bytes()), AllOf(HasSubstr("\"k\""), HasSubstr("cut short")));
  }
}

TEST(Gguf, RefusesHostileMetadataByKey) {
  const auto refused = [](uint32_t type, const std::string& value) {
    GgufBytes file;
    file.raw("the.key", type, value);
    const std::string why = reason(file.bytes());
    EXPECT_THAT(why, HasSubstr("the.key"));
    return why;
  };
  EXPECT_THAT(refused(13, "1234"), HasSubstr("number 13"));
  EXPECT_THAT(refused(kBoolType, "\2"), HasSubstr("a bool of it is 2"));
  EXPECT_THAT(refused(kListType, as_bytes(uint32_t{9}) + as_bytes(uint64_t{0})),
              HasSubstr("no list in a list"));
  EXPECT_THAT(refused(kListType, as_bytes(uint32_t{99}) + as_bytes(uint64_t{0})),
              HasSubstr("number 99"));
  GgufBytes twice, empty;
  twice.number("k", 1.0F);
  twice.number("k", 1.0F);
  EXPECT_EQ(reason(twice.bytes()), "it holds key \"k\" twice");
  empty.number("", 1.0F);
  EXPECT_THAT(reason(empty.bytes()), HasSubstr("a key of it has 0 bytes"));
}

TEST(Gguf, RefusesHostileTensorsByName) {
  const uint64_t huge = uint64_t{1} << 40;
  const auto refused = [](const std::vector<uint64_t>& shape, uint32_t type, uint64_t at) {
    GgufBytes file;
    file.entry("the.name", shape, type, at);
    const std::string why = reason(file.bytes() + std::string(64, '\0'));
    return why.find("the.name") != why.npos || why.find("cut short") != why.npos ? why : "";
  };
  EXPECT_THAT(refused({}, kF32, 0), HasSubstr("0 dimensions"));
  EXPECT_THAT(refused({1, 1, 1, 1, 1}, kF32, 0), HasSubstr("5 dimensions"));
  EXPECT_THAT(refused({0}, kF32, 0), HasSubstr("a dimension of it is 0"));
  EXPECT_THAT(refused({~uint64_t{0}}, kF32, 0), HasSubstr("a dimension"));
  EXPECT_THAT(refused({huge, huge}, kF32, 0), HasSubstr("too many bytes"));
  EXPECT_THAT(refused({uint64_t{1} << 62, 4}, kF32, 0), HasSubstr("too many bytes"));
  EXPECT_THAT(refused({huge}, kF32, 0), HasSubstr("cut short"));
  EXPECT_THAT(refused({33}, kQ80, 0), HasSubstr("a multiple of 32"));
  EXPECT_THAT(refused({1}, 5, 0), HasSubstr("its type is number 5"));
  EXPECT_THAT(refused({1}, kF32, 4), HasSubstr("a multiple of 32"));
  EXPECT_THAT(refused({1}, kF32, ~uint64_t{31}), HasSubstr("begins at byte"));
  EXPECT_THAT(refused({1}, kF32, 1024), HasSubstr("cut short"));
}

TEST(Gguf, RefusesTensorsThatMeet) {
  GgufBytes twice, overlapping;
  twice.entry("a", {8}, kF32, 0);
  twice.entry("a", {8}, kF32, 32);
  EXPECT_EQ(reason(twice.bytes() + std::string(96, '\0')), "it holds tensor \"a\" twice");
  overlapping.entry("a", {9}, kF32, 0);
  overlapping.entry("b", {8}, kF32, 32);
  EXPECT_THAT(reason(overlapping.bytes() + std::string(96, '\0')),
              HasSubstr("tensor \"b\" begins at byte 32 of the data, where the one before it ends "
                        "at 36"));
}

TEST(Gguf, RefusesAlignmentThatIsNone) {
  for (const uint32_t alignment : {0U, 1U, 33U, 1U << 30}) {
    GgufBytes file;
    file.number("general.alignment", alignment);
    EXPECT_THAT(reason(file.bytes()), HasSubstr("general.alignment is"));
  }
  GgufBytes text;
  text.text("general.alignment", "32");
  EXPECT_THAT(reason(text.bytes()), HasSubstr("general.alignment is \"32\""));
}

TEST(Gguf, NamesTheFile) {
  const ScratchFolder scratch;
  EXPECT_EQ(GgufFile::open(scratch.path() / "no.gguf").status().code(), Code::kNotFound);
  EXPECT_THAT(GgufFile::open(scratch.write("m.gguf", "GGUF")).status().message(),
              HasSubstr("m.gguf: it holds 4 bytes"));
}

}  // namespace
}  // namespace prefixmem::trainer
