#include "client/channel/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "common/sha256.h"
#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kModel = "adapter/adapter_model.safetensors";

class Download : public testing::Test {
 protected:
  Download() {
    pmt.service.jobs.push_back(make_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED));
    pmt.service.add_file("job-1", kModel, "adapter", weights_);
    pmt.service.add_file("job-1", "result.json", "result", "{}");
    pmt.service.add_file("job-1", "checkpoints/4/state", "checkpoint", "state");
  }

  std::vector<v1::DownloadArtifactResponse>& messages() {
    return pmt.service.files[kModel].messages;
  }

  // Fails with the code, says the words and leaves nothing in the working folder.
  void expect_nothing(int code, const std::string& words) {
    const Outcome done = pmt.run({"download", "job-1", "--path", "adapter", "--out", "out/deep"});
    EXPECT_EQ(done.code, code);
    EXPECT_THAT(done.err, HasSubstr(words));
    EXPECT_EQ(done.out, "");
    EXPECT_THAT(pmt.tree(), IsEmpty());
  }

  const std::string weights_ = std::string(2500, 'w') + std::string("\0\n", 2);
  Pmt pmt;
};

TEST_F(Download, FetchesAllButTheCheckpointsIntoAFolderNamedByTheId) {
  const Outcome done = pmt.run({"download", "banking"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(pmt.tree(),
              ElementsAre("job-1", "job-1/adapter", "job-1/adapter/adapter_model.safetensors",
                          "job-1/result.json"));
  EXPECT_EQ(*read_file(pmt.path("job-1") / kModel), weights_);
  EXPECT_THAT(done.out, HasSubstr(pmt.path("job-1/result.json").string()));
  EXPECT_THAT(done.out, HasSubstr("2.44 KiB"));
}

TEST_F(Download, AsJson) {
  const auto json = pmt.run({"download", "job-1", "--out", "here", "-o", "json"}).json();
  EXPECT_EQ(json["job"], "job-1");
  EXPECT_EQ(json["folder"], pmt.path("here").string());
  ASSERT_EQ(json["files"].size(), 2u);
  EXPECT_EQ(json["files"][0]["path"], kModel);
  EXPECT_EQ(json["files"][0]["bytes"], weights_.size());
  EXPECT_EQ(json["files"][0]["file"], (pmt.path("here") / kModel).string());
  EXPECT_EQ(json["files"][0]["sha256"], sha256_hex(weights_));
  EXPECT_EQ(*read_file(json["files"][0]["file"].get<std::string>()), weights_);
}

TEST_F(Download, FetchesThePathsNamed) {
  EXPECT_EQ(pmt.run({"download", "job-1", "--path", "checkpoints/", "--path", "result.json",
                     "--out", pmt.path("out").string()})
                .code,
            0);
  EXPECT_THAT(pmt.tree(), ElementsAre("out", "out/checkpoints", "out/checkpoints/4",
                                      "out/checkpoints/4/state", "out/result.json"));
}

TEST_F(Download, NamesAPathThatIsNotThere) {
  const Outcome done = pmt.run({"download", "job-1", "--path", "result"});
  EXPECT_EQ(done.code, 12);
  EXPECT_EQ(done.err, "pmt: job job-1 has no file result in the store\n");
  EXPECT_THAT(pmt.tree(), IsEmpty());
}

TEST_F(Download, OfAJobWithoutFilesFails) {
  pmt.service.artifacts.clear();
  const Outcome done = pmt.run({"download", "job-1"});
  EXPECT_EQ(done.code, 12);
  EXPECT_EQ(done.err, "pmt: job job-1 is succeeded: it has no files\n");
  EXPECT_THAT(pmt.tree(), IsEmpty());
}

TEST_F(Download, SaysThatThereIsNoAdapter) {
  pmt.service.jobs.front().set_state(v1::JOB_STATE_CANCELLED);
  pmt.service.artifacts.clear();
  pmt.service.add_file("job-1", "metrics.jsonl", "metrics", "{}");
  EXPECT_EQ(pmt.run({"download", "job-1"}).err, "pmt: job job-1 is cancelled: it has no adapter\n");
  pmt.service.jobs.front().set_state(v1::JOB_STATE_RUNNING);
  EXPECT_EQ(pmt.run({"download", "job-1"}).err,
            "pmt: job job-1 is running: it has no adapter yet\n");
}

TEST_F(Download, ReplacesAFile) {
  pmt.write("out/result.json", "an older one, longer");
  pmt.write("out/mine", "stays");
  EXPECT_EQ(pmt.run({"download", "job-1", "--out", "out"}).code, 0);
  EXPECT_EQ(*read_file(pmt.path("out/result.json")), "{}");
  EXPECT_EQ(*read_file(pmt.path("out/mine")), "stays");
}

TEST_F(Download, AnEmptyFileIsOne) {
  pmt.service.add_file("job-1", "metrics.jsonl", "metrics", "");
  EXPECT_EQ(pmt.run({"download", "job-1", "--path", "metrics.jsonl"}).code, 0);
  EXPECT_EQ(fs::file_size(pmt.path("job-1/metrics.jsonl")), 0u);
}

TEST_F(Download, AnotherDigestLeavesNothingBehind) {
  messages()[0].mutable_artifact()->set_sha256(std::string(64, '0'));
  expect_nothing(14, "arrived with sha256 " + sha256_hex(weights_) + " where the store names 0000");
}

TEST_F(Download, OtherBytesLeaveNothingBehind) {
  messages()[1].mutable_chunk()->front() = 'W';
  expect_nothing(14, "where the store names " + sha256_hex(weights_));
}

TEST_F(Download, ATruncatedStreamLeavesNothingBehind) {
  messages().pop_back();
  expect_nothing(14, "arrived with 2000 bytes where the store names 2502");
}

TEST_F(Download, ABrokenStreamLeavesNothingBehind) {
  messages().pop_back();
  pmt.service.files[kModel].end = {grpc::StatusCode::UNAVAILABLE, "the test broke it"};
  expect_nothing(16, "the test broke it");
}

TEST_F(Download, TooManyBytesLeaveNothingBehind) {
  messages().push_back(messages().back());
  expect_nothing(14, "arrived with more bytes where the store names 2502");
}

TEST_F(Download, AStreamOutOfOrderLeavesNothingBehind) {
  const auto header = messages()[0];
  messages().push_back(header);
  expect_nothing(14, "came with a second header");
  messages().erase(messages().begin());
  expect_nothing(14, "came without its header");
  messages().clear();
  expect_nothing(14, "came without its header");
  messages().push_back(header);
  messages()[0].mutable_artifact()->set_path("result.json");
  expect_nothing(14, "the store sent \"result.json\"");
}

TEST_F(Download, AFailureSparesTheFileBefore) {
  pmt.write("out/adapter/adapter_model.safetensors", "older");
  messages().pop_back();
  EXPECT_EQ(pmt.run({"download", "job-1", "--out", "out"}).code, 14);
  EXPECT_EQ(*read_file(pmt.path("out") / kModel), "older");
  EXPECT_THAT(pmt.tree(), ElementsAre("out", "out/adapter", std::string("out/") + kModel));
}

TEST_F(Download, APathThatClimbsOutIsRefused) {
  for (const char* path : {"../evil", "adapter/../../evil", "/evil", "adapter/./x", "adapter/"}) {
    pmt.service.artifacts.clear();
    pmt.service.add_file("job-1", path, "adapter", "evil");
    const Outcome done = pmt.run({"download", "job-1", "--out", "out"});
    EXPECT_EQ(done.code, 11) << path;
    EXPECT_THAT(done.err, HasSubstr(std::string("\"") + path + "\""));
    EXPECT_THAT(pmt.tree(), IsEmpty()) << path;
  }
}

TEST_F(Download, ALinkDoesNotLeadOut) {
  fs::create_directories(pmt.path("out"));
  fs::create_directories(pmt.path("elsewhere"));
  fs::create_directory_symlink(pmt.path("elsewhere"), pmt.path("out/adapter"));
  const Outcome done = pmt.run({"download", "job-1", "--out", "out"});
  EXPECT_EQ(done.code, 11);
  EXPECT_THAT(done.err, HasSubstr("leaves it through a symbolic link"));
  EXPECT_TRUE(fs::is_empty(pmt.path("elsewhere")));
}

TEST_F(Download, ALinkToTheOutputFolderIsFine) {
  fs::create_directories(pmt.path("real"));
  fs::create_directory_symlink(pmt.path("real"), pmt.path("out"));
  EXPECT_EQ(pmt.run({"download", "job-1", "--out", "out"}).code, 0);
  EXPECT_EQ(*read_file(pmt.path("real") / kModel), weights_);
}

TEST_F(Download, AFileInTheWayIsNamed) {
  pmt.write("out", "a file");
  const Outcome done = pmt.run({"download", "job-1", "--out", "out"});
  EXPECT_NE(done.code, 0);
  EXPECT_THAT(done.err, HasSubstr(pmt.path("out").string()));
}

TEST(TransferLimit, GrowsWithTheSize) {
  EXPECT_EQ(transfer_limit(0, Millis(500)), Millis(500));
  EXPECT_EQ(transfer_limit(-1, Millis(500)), Millis(500));
  EXPECT_EQ(transfer_limit(int64_t{3} << 20, Millis(500)), Millis(3500));
}

}  // namespace
}  // namespace prefixmem::client
