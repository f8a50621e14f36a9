// pmt benchmarks, and pmt submit with a benchmark.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sha256.h"
#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"
#include "tests/unit/client/registry_example.h"

namespace prefixmem::client {
namespace {

using ::testing::HasSubstr;

class Benchmarks : public ::testing::Test {
 protected:
  Benchmarks() {
    const std::string rows = "{\"text\": \"a\", \"label\": \"b\"}\n";
    std::string yaml = kTiny;
    for (const char digit : {'0', '1'}) {
      yaml.replace(yaml.find(std::string(64, digit)), 64, sha256_hex(rows));
    }
    pmt.write("registry/tiny.yaml", yaml);
    pmt.write("registry/suite.yaml", yaml + "tasks: {one: {}, two: {}}\n");
    for (const char* name : {"tiny", "suite/one", "suite/two"}) {
      for (const char* file : {"train.jsonl", "test.jsonl"}) {
        pmt.write("mirror/" + std::string(name) + "/" + file, rows);
      }
    }
  }
  Outcome run(std::vector<std::string> arguments) {
    for (const char* more : {"--registry", "registry", "--benchmark-data", "data"}) {
      arguments.emplace_back(more);
    }
    return pmt.run(std::move(arguments));
  }
  Outcome prepare(const std::string& name) {
    return run({"benchmarks", "prepare", name, "--mirror", "mirror"});
  }

  Pmt pmt;
};

TEST_F(Benchmarks, ListShowsWhatThereIs) {
  EXPECT_EQ(prepare("suite/two").code, 0);
  EXPECT_EQ(run({"benchmarks", "list"}).out,
            "name       metric    train  test  prepared  about\n"
            "suite/one  accuracy      2     1  no        A tiny one\n"
            "suite/two  accuracy      2     1  yes       A tiny one\n"
            "tiny       accuracy      2     1  no        A tiny one\n");
  const auto json = run({"benchmarks", "list", "-o", "json"}).json();
  ASSERT_EQ(json["benchmarks"].size(), 3U);
  EXPECT_EQ(json["benchmarks"][1]["prepared"], true);
  EXPECT_EQ(json["benchmarks"][2]["splits"]["test"]["rows"], 1);
}

TEST_F(Benchmarks, ShowTellsAll) {
  const Outcome shown = run({"benchmarks", "show", "tiny"});
  EXPECT_EQ(shown.code, 0);
  for (const char* part : {"licence:   none\n", "prepared:  no\n", "data/tiny/test.jsonl, sha256 ",
                           "  template: \"Q: {text}\\nA:\"\n", "  metric: accuracy\n"}) {
    EXPECT_THAT(shown.out, HasSubstr(part));
  }
  EXPECT_EQ(run({"benchmarks", "show", "suite", "-o", "json"}).json()["benchmarks"].size(), 2U);
  const Outcome unknown = run({"benchmarks", "show", "tinny"});
  EXPECT_EQ(unknown.code, 12);
  EXPECT_EQ(unknown.err, "pmt: benchmark \"tinny\" is not in the registry; did you mean tiny?\n");
}

TEST_F(Benchmarks, PrepareSaysWhereTheFilesAre) {
  const Outcome first = prepare("suite");
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr(pmt.path("data/suite/two/test.jsonl").string() + "   " +
                                   pmt.path("mirror/suite/two/test.jsonl").string()));
  EXPECT_THAT(prepare("suite").out, HasSubstr("test.jsonl   present\n"));
}

TEST_F(Benchmarks, ASubmittedSpecIsWhole) {
  pmt.write("job.yaml", "model: m\nbenchmark: tiny\ndata: {few_shot: null}\n");
  const Outcome early = run({"submit", "job.yaml"});
  EXPECT_EQ(early.code, 13);
  EXPECT_THAT(early.err, HasSubstr("pmt: job.yaml: benchmark: benchmark tiny is not prepared: "));
  EXPECT_THAT(early.err, HasSubstr("; run: pmt benchmarks prepare tiny\n"));
  EXPECT_TRUE(pmt.service.submitted.empty());

  EXPECT_EQ(prepare("tiny").code, 0);
  EXPECT_EQ(run({"submit", "job.yaml", "--no-upload"}).code, 0);
  EXPECT_EQ(pmt.service.submitted.at(0).yaml(),
            "model: " + pmt.path("m").string() +
                "\n"
                "benchmark: tiny\n"
                "data:\n"
                "  few_shot: null\n"
                "  format: text_label\n"
                "  template: \"Q: {text}\\nA:\"\n"
                "  eval: " +
                pmt.path("data/tiny/test.jsonl").string() +
                "\n  train: " + pmt.path("data/tiny/train.jsonl").string() +
                "\n"
                "eval:\n"
                "  mode: label_likelihood\n"
                "  metric: accuracy\n");
}

TEST_F(Benchmarks, ASettingMayNameOne) {
  EXPECT_EQ(prepare("suite").code, 0);
  pmt.write("job.yaml", "model: root://m\n");
  EXPECT_EQ(run({"submit", "job.yaml", "--set", "benchmark=suite"}).code, 0);
  EXPECT_THAT(pmt.service.submitted.at(0).yaml(), HasSubstr("{name: suite/two, data: {"));
}

TEST_F(Benchmarks, SubmitPreparesThemWhereAskedTo) {
  pmt.write("job.yaml", "model: root://m\nbenchmark: tiny\n");
  const auto submit = [&] {
    return run({"submit", "job.yaml", "--no-upload", "--prepare", "--mirror", "mirror"});
  };
  const Outcome done = submit();
  EXPECT_EQ(done.code, 0) << done.err;
  for (const std::string file : {"train.jsonl", "test.jsonl"}) {
    EXPECT_THAT(done.err, HasSubstr("pmt: fetched " + pmt.path("data/tiny/" + file).string() +
                                    " from " + pmt.path("mirror/tiny/" + file).string() + "\n"));
  }
  EXPECT_EQ(submit().err, "") << "there already";
  EXPECT_EQ(pmt.service.submitted.size(), 2U);
  pmt.write("job.yaml", "model: root://m\nbenchmark: none\n");
  EXPECT_EQ(submit().code, 12);
}

TEST_F(Benchmarks, OnlyASpecThatNamesOneNeedsARegistry) {
  pmt.write("job.yaml", "model: root://m\n");
  EXPECT_EQ(pmt.run({"submit", "job.yaml", "--registry", "none"}).code, 0);
  pmt.write("job.yaml", "benchmark: tiny\n");
  EXPECT_EQ(pmt.run({"submit", "job.yaml", "--registry", "none"}).code, 12);
}

}  // namespace
}  // namespace prefixmem::client
