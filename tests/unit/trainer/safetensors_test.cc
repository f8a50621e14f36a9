// Reading, writing and refusing safetensors files.
#include "worker/trainer/model/safetensors.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/model/weight_folder.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<NamedTensor> some_tensors() {
  return {{"a", at::arange(6, at::kFloat).view({2, 3})},
          {"b.weight", at::ones({4}, at::kBFloat16)},
          {"empty", at::empty({0, 5})},
          {"scalar", at::scalar_tensor(7, at::kLong)},
          {"mask", at::ones({3}, at::kBool)}};
}

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string reason(const std::string& bytes) {
  const auto file = SafetensorsFile::over(bytes);
  EXPECT_EQ(file.status().code(), Code::kDataLoss) << file.status().to_string();
  return file.status().message();
}

json entry(const char* dtype, const json& shape, const json& offsets) {
  return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", offsets}};
}

TEST(Safetensors, RoundTripThroughAFile) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "x.safetensors";
  ASSERT_TRUE(write_safetensors(path, some_tensors(), {{"format", "pt"}}).ok());
  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_EQ(file->tensors().size(), 5);
  for (const auto& [name, value] : some_tensors()) {
    const auto read = file->tensor(name);
    ASSERT_TRUE(read.ok()) << read.status().to_string();
    EXPECT_EQ(read->scalar_type(), value.scalar_type()) << name;
    EXPECT_TRUE(at::equal(*read, value)) << name;
  }
}

TEST(Safetensors, DataBeginAtAMultipleOfEight) {
  for (const char* name : {"a", "ab", "abc", "abcdefgh"}) {
    const std::string bytes = serialize_safetensors({{name, at::ones({1})}}, {});
    EXPECT_EQ((bytes.size() - sizeof(float)) % 8, 0);
  }
}

TEST(Safetensors, WritesViewsAsTheyLook) {
  const at::Tensor matrix = at::arange(6, at::kFloat).view({2, 3});
  const std::string bytes =
      serialize_safetensors({{"t", matrix.t()}, {"s", matrix.select(1, 1)}}, {});
  const auto file = SafetensorsFile::over(bytes);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(at::equal(*file->tensor("t"), matrix.t()));
  EXPECT_TRUE(at::equal(*file->tensor("s"), matrix.select(1, 1)));
}

TEST(Safetensors, TensorsAreViewsThatOutliveTheFile) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "x.safetensors";
  ASSERT_TRUE(write_safetensors(path, some_tensors(), {}).ok());
  at::Tensor first, second;
  {
    const auto file = SafetensorsFile::open(path);
    first = *file->tensor("a");
    second = *file->tensor("a");
  }
  EXPECT_EQ(first.const_data_ptr(), second.const_data_ptr());
  fs::remove(path);
  EXPECT_EQ(first.sum().item<float>(), 15);
}

TEST(Safetensors, ReadsWhatIsNotAligned) {
  const json header = {{"x", entry("U8", {1}, {0, 1})}, {"y", entry("F32", {1}, {1, 5})}};
  const float value = 2.5;
  const std::string data = "\1" + std::string(reinterpret_cast<const char*>(&value), 4);
  const std::string bytes = file_of(header.dump(), data);
  EXPECT_EQ(SafetensorsFile::over(bytes)->tensor("y")->item<float>(), 2.5);
}

TEST(Safetensors, NamesFileAndTensor) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "x.safetensors";
  EXPECT_EQ(SafetensorsFile::open(path).status().code(), Code::kNotFound);
  ASSERT_TRUE(write_safetensors(path, some_tensors(), {}).ok());
  EXPECT_EQ(SafetensorsFile::open(path)->tensor("c").status().to_string(),
            "DATA_LOSS: " + path.string() + " has no tensor c");
  EXPECT_EQ(SafetensorsFile::open(scratch.path()).status().code(), Code::kFailedPrecondition);
}

TEST(Safetensors, EveryTruncationIsRefusedWithBothSizes) {
  const ScratchFolder scratch;
  const std::string whole = serialize_safetensors(some_tensors(), {{"format", "pt"}});
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto path = scratch.write("cut.safetensors", whole.substr(0, size));
    const Status status = SafetensorsFile::open(path).status();
    ASSERT_EQ(status.code(), Code::kDataLoss) << size;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("cut.safetensors"),
                                        HasSubstr("holds " + std::to_string(size) + " bytes")));
    if (size < sizeof(uint64_t)) continue;
    EXPECT_THAT(status.message(), EndsWith("it is cut short")) << size;
  }
  EXPECT_THAT(reason(whole.substr(0, whole.size() - 1)),
              HasSubstr("where its header says " + std::to_string(whole.size())));
}

TEST(Safetensors, RefusesBytesBehindTheEnd) {
  EXPECT_THAT(reason(serialize_safetensors(some_tensors(), {}) + "x"), HasSubstr("bytes where"));
}

TEST(Safetensors, RefusesHostileLengths) {
  for (const uint64_t length : {uint64_t{1} << 63, ~uint64_t{0}, uint64_t{100'000'001}}) {
    const std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
    EXPECT_THAT(reason(bytes + "{}"), HasSubstr(std::to_string(length)));
  }
}

TEST(Safetensors, RefusesHostileHeaders) {
  for (const char* header : {"", "[]", "null", "{", "{\"a\":}", "{}{}", "\xff\xfe"}) {
    EXPECT_THAT(reason(file_of(header)), HasSubstr("header")) << header;
  }
  EXPECT_THAT(reason(file_of(R"({"a":)" + std::string(1'000'000, '['))), HasSubstr("too deeply"));
  const std::string one = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(reason(file_of("{" + one + "," + one + "}", "x")), HasSubstr("\"a\" twice"));
  EXPECT_THAT(reason(file_of(R"({"__metadata__":{"a":1}})")), HasSubstr("__metadata__.a"));
  EXPECT_THAT(reason(file_of(R"({"__metadata__":[]})")), HasSubstr("__metadata__"));
}

TEST(Safetensors, RefusesHostileEntriesByName) {
  const uint64_t huge = uint64_t{1} << 62;
  const json bad[] = {3,
                      json::object(),
                      entry("F31", {1}, {0, 4}),
                      entry("F32", {-1}, {0, 4}),
                      entry("F32", {1.5}, {0, 4}),
                      entry("F32", {2}, {0, 4}),        // shape larger than the bytes
                      entry("F32", {1}, {4, 0}),        // backwards
                      entry("F32", {1}, {0}),           // one offset
                      entry("F32", {1}, {0, 4, 8}),     // three
                      entry("F32", 1, {0, 4}),          // no list
                      entry("F32", {huge, 4}, {0, 0}),  // overflows to nothing
                      entry("F32", {huge, huge, huge}, {0, 4}),
                      entry("F32", {~uint64_t{0}}, {0, 4}),
                      entry("U8", {huge}, {0, huge}),  // beyond the file
                      entry("F32", std::vector<int>(65, 1), {0, 4}),
                      {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}, {"more", 1}}};
  for (const json& one : bad) {
    const std::string why = reason(file_of(json({{"the.name", one}}).dump(), "1234"));
    EXPECT_TRUE(why.find("the.name") != std::string::npos ||
                why.find("cut short") != std::string::npos)
        << one << ": " << why;
  }
}

TEST(Safetensors, RefusesGapsAndOverlaps) {
  const auto two = [](const json& a, const json& b) {
    return file_of(json({{"a", entry("U8", {4}, a)}, {"b", entry("U8", {4}, b)}}).dump(),
                   "12345678");
  };
  EXPECT_TRUE(SafetensorsFile::over(two({4, 8}, {0, 4})).ok());
  EXPECT_THAT(reason(two({0, 4}, {0, 4})), HasSubstr("tensor"));
  EXPECT_THAT(reason(two({0, 4}, {2, 6})), HasSubstr("tensor b begins at byte 2"));
  EXPECT_THAT(reason(two({1, 5}, {5, 9})), HasSubstr("tensor a begins at byte 1"));
}

// Weight folders
// -----------------------------------------------------------------------------------

void write_shard(const ScratchFolder& scratch, const std::string& file, const std::string& tensor) {
  ASSERT_TRUE(write_safetensors(scratch.path() / file, {{tensor, at::ones({2, 2})}}, {}).ok());
}

void write_index(const ScratchFolder& scratch, const json& weight_map) {
  scratch.write("model.safetensors.index.json",
                json({{"metadata", {{"total_size", 32}}}, {"weight_map", weight_map}}).dump());
}

TEST(WeightFolder, OneFile) {
  const ScratchFolder scratch;
  write_shard(scratch, "model.safetensors", "w");
  const auto weights = WeightFolder::open(scratch.path());
  ASSERT_TRUE(weights.ok()) << weights.status().to_string();
  EXPECT_TRUE(weights->contains("w"));
  EXPECT_EQ(weights->take("w", {2, 2})->sum().item<float>(), 4);
}

TEST(WeightFolder, Shards) {
  const ScratchFolder scratch;
  write_shard(scratch, "one.safetensors", "w");
  write_shard(scratch, "two.safetensors", "v");
  write_index(scratch, {{"w", "one.safetensors"}, {"v", "two.safetensors"}});
  const auto weights = WeightFolder::open(scratch.path());
  ASSERT_TRUE(weights.ok()) << weights.status().to_string();
  EXPECT_TRUE(weights->take("w", {2, 2}).ok());
  EXPECT_TRUE(weights->take("v", {2, 2}).ok());
}

TEST(WeightFolder, SaysWhatIsMissing) {
  const ScratchFolder scratch;
  EXPECT_EQ(WeightFolder::open(scratch.path()).status().code(), Code::kNotFound);
  write_index(scratch, {{"w", "one.safetensors"}});
  const Status absent = WeightFolder::open(scratch.path()).status();
  EXPECT_EQ(absent.code(), Code::kNotFound);
  EXPECT_THAT(absent.message(), HasSubstr("one.safetensors"));
  write_shard(scratch, "one.safetensors", "other");
  EXPECT_THAT(WeightFolder::open(scratch.path()).status().to_string(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("one.safetensors has no tensor w")));
}

TEST(WeightFolder, StaysInItsFolder) {
  const ScratchFolder scratch;
  for (const char* file : {"../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", ""}) {
    write_index(scratch, {{"w", file}});
    const Status status = WeightFolder::open(scratch.path()).status();
    EXPECT_EQ(status.code(), Code::kDataLoss) << file;
    EXPECT_THAT(status.message(), HasSubstr("weight_map.w is \"" + std::string(file) + "\""));
  }
  write_index(scratch, {{"w", 3}});
  EXPECT_EQ(WeightFolder::open(scratch.path()).status().code(), Code::kDataLoss);
  scratch.write("model.safetensors.index.json", "{}");
  EXPECT_EQ(WeightFolder::open(scratch.path()).status().code(), Code::kDataLoss);
}

TEST(WeightFolder, RefusesOtherShapesAndTypesByName) {
  const ScratchFolder scratch;
  ASSERT_TRUE(write_safetensors(scratch.path() / "model.safetensors",
                                {{"w", at::ones({2, 2})}, {"i", at::ones({2}, at::kInt)}}, {})
                  .ok());
  const auto weights = WeightFolder::open(scratch.path());
  ASSERT_TRUE(weights.ok());
  EXPECT_THAT(weights->take("w", {4}).status().message(),
              HasSubstr("tensor w has shape [2,2]; config.json asks for [4]"));
  EXPECT_THAT(weights->take("i", {2}).status().message(), HasSubstr("tensor i is of dtype I32"));
  EXPECT_THAT(weights->take("x", {2}).status().message(), HasSubstr("lack tensor x"));
  EXPECT_EQ(weights->take("x", {2}).status().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace prefixmem::trainer
