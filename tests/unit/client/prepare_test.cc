// Where a benchmark's files come from.
#include "client/benchmarks/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "client/benchmarks/registry.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/unit/client/registry_example.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr const char* kCsv = "text,category\na,card_lost\nb,top_up\n";
const std::string kRows =
    "{\"text\": \"a\", \"label\": \"card lost\"}\n{\"text\": \"b\", \"label\": \"top up\"}\n";

class PrepareTest : public ::testing::Test {
 protected:
  PrepareTest() : tiny_(read_benchmarks(*spec::parse_tree(kTiny), "tiny")->front()) {
    tiny_.train->sha256 = tiny_.test->sha256 = sha256_hex(kRows);
  }

  Result<std::vector<PreparedFile>> prepare() {
    return prepare_benchmark(tiny_, data(), mirror_, [this](const std::string& url) {
      asked_.push_back(url);
      return source_;
    });
  }
  fs::path data() const { return folder_.path() / "data"; }
  std::string prepared(const std::string& file) const { return *read_file(data() / "tiny" / file); }
  void mirror(const std::string& file, const std::string& text) {
    mirror_ = folder_.path() / "mirror";
    fs::create_directories(mirror_ / "tiny");
    std::ofstream(mirror_ / "tiny" / file) << text;
  }

  const TempFolder folder_;
  Benchmark tiny_;
  fs::path mirror_;
  Result<std::string> source_ = std::string(kCsv);
  std::vector<std::string> asked_;
};

TEST_F(PrepareTest, MakesTheFilesFromTheirSource) {
  const auto files = prepare();
  ASSERT_TRUE(files.ok()) << files.status().message();
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[1].split, "test");
  EXPECT_EQ((*files)[1].from, "https://example.org/test.csv");
  EXPECT_EQ((*files)[1].file, data() / "tiny/test.jsonl");
  EXPECT_EQ(prepared("train.jsonl"), kRows);
  EXPECT_TRUE(check_prepared(tiny_, data()).ok());
}

TEST_F(PrepareTest, AMirrorComesFirst) {
  mirror("train.jsonl", kRows);
  mirror("test.jsonl", kRows);
  const auto files = prepare();
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_EQ(files->front().from, mirror_ / "tiny/train.jsonl");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(PrepareTest, WhatIsThereStaysAndWhatIsDamagedIsMadeAnew) {
  ASSERT_TRUE(prepare().ok());
  std::ofstream(data() / "tiny/test.jsonl") << "damaged";
  EXPECT_EQ(check_prepared(tiny_, data()).code(), Code::kFailedPrecondition);
  asked_.clear();
  const auto files = prepare();
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_EQ(files->front().from, "present");
  EXPECT_THAT(asked_, ElementsAre("https://example.org/test.csv"));
  EXPECT_EQ(prepared("test.jsonl"), kRows);
}

TEST_F(PrepareTest, AFileOfSeveralSplitsIsFetchedOnce) {
  tiny_.test->url = tiny_.train->url;
  ASSERT_TRUE(prepare().ok());
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(PrepareTest, WithoutRulesASourceIsTheFileItself) {
  tiny_.original.reset();
  source_ = kRows;
  ASSERT_TRUE(prepare().ok());
  EXPECT_EQ(prepared("train.jsonl"), kRows);
}

TEST_F(PrepareTest, EveryPlaceThatFailsHasASentence) {
  mirror("train.jsonl", "tampered");
  source_ = unavailable("https://example.org/train.csv cannot be reached: no route");
  const Status status = prepare().status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(),
              HasSubstr("tiny/train.jsonl cannot be had: " +
                        (mirror_ / "tiny/train.jsonl").string() + " has the wrong checksum: "));
  EXPECT_THAT(status.message(), HasSubstr("; https://example.org/train.csv cannot be reached"));
  EXPECT_FALSE(fs::exists(data() / "tiny/train.jsonl"));
}

TEST_F(PrepareTest, AChangedSourceIsRefused) {
  source_ = std::string(kCsv) + "c,more\n";
  EXPECT_THAT(prepare().status().message(),
              HasSubstr("https://example.org/train.csv has the wrong checksum: "));
  source_ = std::string("text\na\n");
  EXPECT_THAT(prepare().status().message(), HasSubstr("not in the expected form"));
}

TEST_F(PrepareTest, WithoutAUrlItSaysWhereTheRowsArePublished) {
  tiny_.train->url.clear();
  EXPECT_THAT(prepare().status().message(),
              HasSubstr("the registry has no URL to make it from; it is published at "
                        "https://example.org"));
}

TEST_F(PrepareTest, SaysHowToPrepare) {
  EXPECT_EQ(check_prepared(tiny_, data()).message(),
            "benchmark tiny is not prepared: " + (data() / "tiny/train.jsonl").string() +
                " is not the registry's train split; run: pmt benchmarks prepare tiny");
}

TEST(Download, ReadsFilesAndNamesWhatItCannotReach) {
  const TempFolder folder;
  std::ofstream(folder.path() / "a") << "bytes";
  EXPECT_EQ(*web::download("file://" + (folder.path() / "a").string()), "bytes");
  const std::string none = "file://" + (folder.path() / "b").string();
  EXPECT_THAT(web::download(none).status().message(), HasSubstr(none + " cannot be reached: "));
  EXPECT_EQ(web::download("gopher://example.org/").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(web::download("http://127.0.0.1:1/", {Millis(1), Millis(1), 1, 0}).status().code(),
            Code::kUnavailable);
}

TEST(ShippedRegistry, IsWholeAndHasTheMirrorsRows) {
  const auto registry = Registry::open({SHIPPED_BENCHMARKS});
  ASSERT_TRUE(registry.ok()) << registry.status().message();
  EXPECT_EQ(registry->find("bbh")->size(), 27U);
  for (const char* name :
       {"banking77", "goemotions", "dbpedia14", "gsm8k", "minerva_math", "amc23", "preference"}) {
    EXPECT_TRUE(registry->find(name).ok()) << name;
  }
  const char* mirror = std::getenv("PREFIXMEM_DATA");
  if (mirror == nullptr) GTEST_SKIP() << "(PREFIXMEM_DATA) it names no mirror of the data";
  const TempFolder folder;
  for (const Benchmark& benchmark : registry->benchmarks()) {
    const auto files = prepare_benchmark(benchmark, folder.path(), mirror, [](const std::string&) {
      return unavailable("no source is asked");
    });
    ASSERT_TRUE(files.ok()) << files.status().message();
    for (const PreparedFile& one : *files) {
      const std::string rows = *read_file(one.file);
      EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), one.rows) << one.file;
    }
  }
}

}  // namespace
}  // namespace prefixmem::client
