// Which content stays, and for how long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "tests/unit/coordinator/passing_blobs.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

constexpr Millis kHour = std::chrono::hours(1);

// As a bucket, which may be out of reach for a while.
class DistantBlobs final : public PassingBlobs {
 public:
  DistantBlobs(std::unique_ptr<Blobs> near, const bool& away)
      : PassingBlobs(std::move(near)), away_(away) {}

  Result<std::unique_ptr<store::BlobReader>> read(const std::string& sha256,
                                                  int64_t offset) const override {
    if (away_) return unavailable("it cannot be reached");
    return PassingBlobs::read(sha256, offset);
  }

 private:
  const bool& away_;
};

class ContentRetention : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.keep_content = 10 * kHour;
    open_blobs_ =
        [this](const std::filesystem::path& folder) -> Result<std::unique_ptr<store::Blobs>> {
      PM_ASSIGN(auto near, store::DirectoryBlobs::open(folder));
      return std::unique_ptr<store::Blobs>(std::make_unique<DistantBlobs>(std::move(near), away_));
    };
    CoordinatorTest::SetUp();
  }

  // As an upload brings it.
  std::string add(const std::string& bytes, const std::string& tenant = "") {
    const std::string sha256 = sha256_hex(bytes);
    const auto pin = store().blobs().pin(sha256);
    auto writer = store().blobs().begin();
    EXPECT_TRUE(writer.ok() && (*writer)->write(bytes).ok() && (*writer)->finish(sha256).ok());
    const FolderList files{{{}, static_cast<int64_t>(bytes.size()), sha256}};
    EXPECT_TRUE(coordinator().add_content(files, tenant).ok());
    return to_string({sha256, "train.jsonl"});
  }
  std::string add_folder() {
    const std::string list = print_folder_list(
        {{"config.json", 2, sha256_hex("{}")}, {"model.safetensors", 7, sha256_hex("weights")}});
    add("{}");
    add("weights");
    add(list);
    return to_string({sha256_hex(list), "tiny", true});
  }
  bool there(const std::string& bytes) {
    const bool listed = *coordinator().reader().content_bytes(sha256_hex(bytes)) != std::nullopt;
    EXPECT_EQ(listed, store().blobs().read(sha256_hex(bytes)).ok());
    return listed;
  }
  bool away_ = false;  // files cannot be read for now

  // In steps of an hour, each with a tick.
  void pass_hours(int hours) {
    for (int hour = 0; hour < hours; ++hour) {
      clock_.advance(kHour);
      coordinator().tick();
    }
  }
  int64_t stored_by(const std::string& tenant) {
    const auto tenants = coordinator().tenants();
    EXPECT_TRUE(tenants.ok());
    for (const v1::Tenant& one : *tenants) {
      if (one.name() == tenant) return one.stored_bytes();
    }
    return 0;
  }
  void set_quota(const std::string& tenant, int64_t stored_bytes) {
    v1::SetTenantRequest request;
    request.set_tenant(tenant);
    request.mutable_quota()->set_stored_bytes(stored_bytes);
    ASSERT_TRUE(coordinator().set_tenant(request).ok());
  }
  void submit_with(const std::string& name, const std::string& rows) {
    JobSpec wanted = spec(name);
    wanted.data.train = rows;
    const auto submitted = coordinator().submit(wanted, "");
    ASSERT_TRUE(submitted.ok()) << submitted.status().message();
  }
};

TEST_F(ContentRetention, WhatNothingNamesGoesAfterAWhile) {
  add("rows");
  pass_hours(10);
  EXPECT_TRUE(there("rows"));
  pass_hours(1);
  EXPECT_FALSE(there("rows"));
}

TEST_F(ContentRetention, WhatIsAskedForOrSentAgainStaysAsLongAgain) {
  add("asked for");
  add("sent again");
  pass_hours(9);
  const auto states = coordinator().content_states({sha256_hex("asked for"), sha256_hex("away")});
  ASSERT_TRUE(states.ok());
  EXPECT_TRUE(states->contents(0).complete());
  EXPECT_FALSE(states->contents(1).complete());
  add("sent again");
  pass_hours(10);
  EXPECT_TRUE(there("asked for") && there("sent again"));
  pass_hours(1);
  EXPECT_FALSE(there("asked for") || there("sent again"));
}

TEST_F(ContentRetention, AJobKeepsItsContentUntilAWhileAfterItsEnd) {
  submit_with("a", add("rows"));
  pass_hours(100);
  EXPECT_TRUE(there("rows"));
  restart();
  pass_hours(20);
  EXPECT_TRUE(there("rows"));
  ASSERT_TRUE(coordinator().cancel("a").ok());
  pass_hours(9);
  EXPECT_TRUE(there("rows"));
  pass_hours(2);
  EXPECT_FALSE(there("rows"));
}

TEST_F(ContentRetention, ASearchKeepsWhatItsLaterTrialsWillName) {
  const std::string one = add("one"), two = add("two");
  const auto spec = parse_job_spec(
      "{name: s, model: /m, data: {train: rows.jsonl, eval: rows.jsonl}, train: {max_steps: 1},"
      " sweep: {space: {data.train: [\"" +
      one + "\", \"" + two + "\"]}, search: grid, max_concurrent: 1}}");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  ASSERT_TRUE(coordinator().submit(*spec, "").ok());
  pass_hours(100);
  EXPECT_TRUE(there("one") && there("two"));
}

TEST_F(ContentRetention, NothingIsSweptWhileListsCannotBeRead) {
  v1::AddModelRequest request;
  request.set_name("tiny");
  request.set_content(add_folder());
  ASSERT_TRUE(coordinator().add_model(request).ok());
  add("rows");
  away_ = true;
  pass_hours(100);
  away_ = false;
  EXPECT_TRUE(there("weights") && there("rows"));
  pass_hours(1);
  EXPECT_TRUE(there("weights"));
  EXPECT_FALSE(there("rows"));
}

TEST_F(ContentRetention, AModelKeepsAllItsFiles) {
  v1::AddModelRequest request;
  request.set_name("tiny");
  request.set_content(add_folder());
  ASSERT_TRUE(coordinator().add_model(request).ok());
  pass_hours(100);
  EXPECT_TRUE(there("weights") && there("{}"));
  ASSERT_TRUE(coordinator().remove_model("tiny").ok());
  pass_hours(11);
  EXPECT_FALSE(there("weights") || there("{}"));
}

TEST_F(ContentRetention, ADamagedFolderDoesNotKeepTheRestFromBeingSwept) {
  v1::AddModelRequest request;
  request.set_name("tiny");
  request.set_content(add_folder());
  ASSERT_TRUE(coordinator().add_model(request).ok());
  ASSERT_TRUE(*store().blobs().remove(parse_content_name(request.content())->sha256));
  add("rows");
  pass_hours(11);
  EXPECT_FALSE(there("rows"));
}

TEST_F(ContentRetention, AFileOfAJobWithTheSameBytesStays) {
  run_a();
  ASSERT_TRUE(upload("a/1", 1, "weights").ok());
  add("weights");
  pass_hours(11);
  EXPECT_TRUE(store().blobs().read(sha256_hex("weights")).ok());
  EXPECT_EQ(*coordinator().reader().content_bytes(sha256_hex("weights")), std::nullopt);
}

TEST_F(ContentRetention, AnUploadThatNobodyGoesOnWithIsDropped) {
  {
    ASSERT_TRUE(store().blobs().resume({sha256_hex("rows"), 4, 0}).value()->write("ro").ok());
  }
  const auto part =
      database().parent_path() / "blobs" / "unfinished" / (sha256_hex("rows") + ".part");
  pass_hours(1);
  EXPECT_EQ(*store().blobs().unfinished(sha256_hex("rows")), 2);
  std::filesystem::last_write_time(part,
                                   std::filesystem::file_time_type::clock::now() - 25 * kHour);
  pass_hours(1);
  EXPECT_EQ(*store().blobs().unfinished(sha256_hex("rows")), 0);
}

TEST_F(ContentRetention, CountsForWhoSentItFirstUntilItGoes) {
  set_quota("a", 10);
  set_quota("b", 10);
  add("rows", "a");
  add("rows", "b");
  add("more", "a");
  EXPECT_EQ(stored_by("a"), 8);
  EXPECT_EQ(stored_by("b"), 0) << "it is there already";
  const auto refusal = [this](int64_t bytes) {
    return coordinator().reserve("a", bytes).status().to_string();
  };
  EXPECT_EQ(refusal(3),
            "RESOURCE_EXHAUSTED: tenant a has 8 bytes stored or on their way and would send 3 "
            "more; allowed: 10 in all");
  {
    const auto arriving = coordinator().reserve("a", 2);
    EXPECT_TRUE(arriving.ok());
    EXPECT_EQ(refusal(1),
              "RESOURCE_EXHAUSTED: tenant a has 10 bytes stored or on their way and would send 1 "
              "more; allowed: 10 in all");
  }
  EXPECT_TRUE(coordinator().reserve("a", 2).ok()) << "the other upload has ended";
  EXPECT_TRUE(coordinator().reserve("nobodys", 1000).ok()) << "it has no quota";
  pass_hours(24 * 8);
  EXPECT_FALSE(there("rows"));
  EXPECT_EQ(stored_by("a"), 0);
  EXPECT_TRUE(coordinator().reserve("a", 10).ok());
  restart();
  EXPECT_TRUE(coordinator().reserve("a", 10).ok());
}

}  // namespace
}  // namespace prefixmem
