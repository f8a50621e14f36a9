#include "worker/agent/transfer/content_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/common/full_disk.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/stream/channel.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ContentSourceTest : public testing::Test {
 protected:
  Status fetch(std::stop_token stop = {}) {
    return source_->fetch(
        sha256_hex("abcdef"), file_,
        [this](int64_t bytes) {
          announced_.push_back(bytes);
          return refusal_;
        },
        std::move(stop));
  }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "part";
  FakeCoordinator coordinator_;
  const std::unique_ptr<Dialler> dialler_ = *Dialler::make(coordinator_.address(), {});
  const std::unique_ptr<ContentSource> source_ =
      make_grpc_content_source([this] { return dialler_->current(); });
  std::vector<int64_t> announced_;
  Status refusal_;
};

TEST_F(ContentSourceTest, BringsAFileWholeAndChecked) {
  coordinator_.stored = "abcdef";
  ASSERT_TRUE(fetch().ok());
  EXPECT_EQ(*read_file(file_), "abcdef");
  EXPECT_THAT(announced_, ElementsAre(6));
}

TEST_F(ContentSourceTest, GoesOnWhereItBrokeOff) {
  coordinator_.stored = "abcdef";
  coordinator_.cut_short = true;
  coordinator_.answer = {grpc::StatusCode::UNAVAILABLE, "going"};
  EXPECT_EQ(fetch().code(), Code::kUnavailable);
  EXPECT_EQ(*read_file(file_), "abc");
  coordinator_.cut_short = false;
  coordinator_.answer = grpc::Status::OK;
  ASSERT_TRUE(fetch().ok());
  EXPECT_EQ(*read_file(file_), "abcdef");
  EXPECT_THAT(coordinator_.offsets, ElementsAre(0, 3));
}

TEST_F(ContentSourceTest, GoesOnOnceAFullDiskHasRoom) {
  coordinator_.stored = "abcdef";
  {
    const FullDisk disk(2);
    const Status status = fetch();
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_THAT(status.message(), HasSubstr("part: No space left on device"));
  }
  EXPECT_EQ(*read_file(file_), "ab");
  ASSERT_TRUE(fetch().ok());
  EXPECT_EQ(*read_file(file_), "abcdef");
}

TEST_F(ContentSourceTest, OneThatEndsTooEarlyMayBeTriedAgain) {
  coordinator_.stored = "abcdef";
  coordinator_.cut_short = true;
  const Status status = fetch();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("it ended after 3 of 6 bytes"));
}

TEST_F(ContentSourceTest, OtherBytesAreDataLossAndGo) {
  coordinator_.stored = "abcdef";
  coordinator_.damaged = true;
  EXPECT_EQ(fetch().code(), Code::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(ContentSourceTest, WhatIsNotAdmittedIsNotWritten) {
  coordinator_.stored = "abcdef";
  refusal_ = resource_exhausted("no room");
  const Status status = fetch();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("no room"));
  EXPECT_EQ(*read_file(file_), "");
}

TEST_F(ContentSourceTest, SaysWhatTheCoordinatorSays) {
  EXPECT_EQ(fetch().code(), Code::kNotFound);
  coordinator_.stop();
  EXPECT_EQ(fetch().code(), Code::kUnavailable);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(fetch(stop.get_token()).code(), Code::kCancelled);
}

}  // namespace
}  // namespace prefixmem::agent
