// Encoded rows kept between runs.
#include "worker/trainer/data/dataset_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/files.h"
#include "tests/unit/trainer/byte_codec.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/data/dataset_file.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A tokenizer that nobody may ask.
class NoCodec final : public ByteCodec {
 public:
  Result<std::vector<int32_t>> encode(std::string_view, bool) const override {
    return failed_precondition("encoded again");
  }
};

void expect_same(const std::vector<Example>& a, const std::vector<Example>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].ids, b[i].ids);
    EXPECT_EQ(a[i].prompt_tokens, b[i].prompt_tokens);
    EXPECT_EQ(a[i].line, b[i].line);
    EXPECT_EQ(a[i].answer, b[i].answer);
    EXPECT_EQ(a[i].label, b[i].label);
  }
}

void expect_same(const Dataset& a, const Dataset& b) {
  expect_same(a.train, b.train);
  expect_same(a.eval, b.eval);
  EXPECT_EQ(a.label_ids, b.label_ids);
  EXPECT_EQ(a.digest, b.digest);
  EXPECT_EQ(a.train_counts.rows, b.train_counts.rows);
  EXPECT_EQ(a.train_counts.too_long, b.train_counts.too_long);
  EXPECT_EQ(a.eval_counts.rows, b.eval_counts.rows);
  EXPECT_EQ(a.notes, b.notes);
}

class DatasetCacheTest : public ::testing::Test {
 protected:
  DatasetCacheTest() {
    spec_.model = folder_.path() / "model";
    fs::create_directory(spec_.model);
    folder_.write("model/tokenizer.json", "{}");
    spec_.data.format = DataFormat::kTextLabel;
    spec_.data.train = folder_.write("t.csv", "text,label\naaaaaaaaaaaaaaaaaaaaa,0\nbb,é\n");
    spec_.data.eval = folder_.write("e.csv", "text,label\na,é\n");
    spec_.data.max_tokens = 20;
    spec_.data.overflow = Overflow::kTruncateLeft;
    spec_.eval.mode = EvalMode::kLabelLikelihood;
  }

  Dataset loaded(const Result<Dataset>& data) {
    EXPECT_TRUE(data.ok()) << data.status().to_string();
    return data.ok() ? *data : Dataset();
  }
  Dataset load() { return loaded(cache_.load(spec_, ByteCodec(), {100})); }
  Dataset load_kept() { return loaded(cache_.load(spec_, NoCodec(), {100})); }
  Dataset plain() { return loaded(load_dataset(spec_, ByteCodec(), {100})); }
  std::vector<fs::path> files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cache_folder_)) files.push_back(entry.path());
    return files;
  }

  const ScratchFolder folder_;
  const fs::path cache_folder_ = folder_.path() / "cache";
  DatasetCache cache_{cache_folder_};
  JobSpec spec_;
};

TEST_F(DatasetCacheTest, EncodesOnce) {
  const Dataset expected = plain();
  ASSERT_FALSE(expected.notes.empty());
  expect_same(load(), expected);
  expect_same(load_kept(), expected);
}

TEST_F(DatasetCacheTest, KeepsADataSetWithoutRows) {
  spec_ = {};
  spec_.model = folder_.path() / "model";
  load();
  EXPECT_THAT(load_kept().train, IsEmpty());
}

TEST_F(DatasetCacheTest, KnowsAFileByItsContent) {
  load();
  spec_.data.train = folder_.write("moved.csv", *read_file(spec_.data.train));
  expect_same(load_kept(), plain());
}

TEST_F(DatasetCacheTest, TheKeyChangesWithEverythingThatTheRowsDependOn) {
  std::set<std::string> keys;
  const auto changed = [&](const Positions& positions = {100}) {
    const auto key = dataset_key(spec_, positions);
    EXPECT_TRUE(key.ok()) << key.status().to_string();
    return keys.insert(*key).second;
  };
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
  EXPECT_TRUE(changed({99}));
  EXPECT_TRUE(changed({100, 1}));
  folder_.write("t.csv", "text,label\na,0\n");
  EXPECT_TRUE(changed());
  folder_.write("e.csv", "text,label\na,0\n");
  EXPECT_TRUE(changed());
  spec_.data.prompt_template = "{text}!";
  EXPECT_TRUE(changed());
  spec_.data.few_shot = FewShotSpec{1, 7};
  EXPECT_TRUE(changed());
  spec_.eval.mode = EvalMode::kLoss;
  EXPECT_TRUE(changed());
  spec_.method = NoMethod{};
  EXPECT_TRUE(changed());
  folder_.write("model/tokenizer.json", "{ }");
  EXPECT_TRUE(changed());
  folder_.write("model/chat_template.jinja", "x");
  EXPECT_TRUE(changed());
  spec_.train.learning_rate *= 2;
  EXPECT_FALSE(changed());
}

TEST_F(DatasetCacheTest, ADamagedFileCostsOnlyTime) {
  const Dataset expected = load();
  ASSERT_EQ(files().size(), 1U);
  std::string bytes = *read_file(files().front());
  bytes.back() ^= 1;
  ASSERT_TRUE(write_file_atomic(files().front(), bytes).ok());
  Dataset again = load();
  EXPECT_THAT(again.notes.back(), HasSubstr("the rows are encoded anew"));
  EXPECT_THAT(again.notes.back(), HasSubstr("its checksum does not agree"));
  again.notes.pop_back();
  expect_same(again, expected);
  expect_same(load_kept(), expected);
}

TEST_F(DatasetCacheTest, AFolderThatCannotBeMadeCostsOnlyTime) {
  folder_.write("cache", "a file");
  Dataset data = load();
  EXPECT_THAT(data.notes.back(), HasSubstr("the encoded rows are not kept: "));
  data.notes.pop_back();
  expect_same(data, plain());
}

TEST_F(DatasetCacheTest, RefusesWhatLoadingRefuses) {
  spec_.data.train = folder_.path() / "none.csv";
  EXPECT_EQ(cache_.load(spec_, ByteCodec(), {100}).status().to_string(),
            load_dataset(spec_, ByteCodec(), {100}).status().to_string());
}

TEST_F(DatasetCacheTest, RemovesWhatWasNotUsedForTheLongestTime) {
  load();
  const fs::path first = files().front();
  fs::last_write_time(first, fs::file_time_type::clock::now() - std::chrono::hours(1));
  folder_.write("cache/notes.txt", "somebody else's");
  cache_ = DatasetCache(cache_folder_, static_cast<int64_t>(fs::file_size(first)) + 10);
  spec_.data.prompt_template = "{text}!";
  load();
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(cache_folder_ / "notes.txt"));
  EXPECT_EQ(files().size(), 2U);
  load_kept();
}

}  // namespace
}  // namespace prefixmem::trainer
