#include "worker/agent/inputs/content_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "common/clock.h"
#include "tests/unit/agent/fake_content.h"
#include "tests/unit/common/full_disk.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/inputs/content_origin.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ContentCacheTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open(int64_t limit = 1000) {
    cache_.reset();
    auto opened = ContentCache::open({folder_.path(), limit});
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    cache_ = std::move(opened).value();
  }
  Result<CachedContent> try_to_get(const ContentName& name, const std::stop_token& stop = {}) {
    return get_from(*cache_, name, stop);
  }
  Result<CachedContent> get_from(ContentCache& cache, const ContentName& name,
                                 const std::stop_token& stop = {}) {
    return cache.get(ContentOrigin(name, source_, {Millis(1), Millis(1), 1, 0}), stop);
  }
  // Of another worker of this host, over the same folder.
  std::unique_ptr<ContentCache> another(int64_t limit = 1000) {
    return *ContentCache::open({folder_.path(), limit});
  }
  CachedContent get(const ContentName& name) {
    auto content = try_to_get(name);
    EXPECT_TRUE(content.ok()) << content.status().message();
    return content.ok() ? *content : CachedContent();
  }
  Status refusal(const ContentName& name) { return try_to_get(name).status(); }
  // Nothing but entries that are whole.
  bool is_tidy() const { return fs::is_empty(folder_.path() / "incoming"); }

  const TempFolder folder_;
  FakeContent source_;
  std::unique_ptr<ContentCache> cache_;
};

TEST_F(ContentCacheTest, FetchesAFileOnceUnderItsName) {
  const ContentName name = source_.add("train.csv", "rows");
  const CachedContent first = get(name), second = get(name);
  EXPECT_EQ(*read_file(first.path), "rows");
  EXPECT_EQ(first.path.filename(), "train.csv");
  EXPECT_EQ(first.path, second.path);
  EXPECT_EQ(source_.fetched().size(), 1u);
  EXPECT_EQ(*cache_->used_bytes(), 4);
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, TheSameContentUnderAnotherNameIsFetchedOnce) {
  ContentName name = source_.add("train.jsonl", "rows");
  get(name);
  name.name = "train.csv";
  const fs::path path = get(name).path;
  EXPECT_EQ(path.filename(), "train.csv");
  EXPECT_EQ(*read_file(path), "rows");
  EXPECT_EQ(source_.fetched().size(), 1u);
  open();
  EXPECT_EQ(*cache_->used_bytes(), 4) << "a link takes no room";
}

TEST_F(ContentCacheTest, FetchesAFolderWithAllOfItsFiles) {
  const auto name = source_.add_folder("m", {{"config.json", "{}"}, {"a/weights", "www"}});
  const CachedContent content = get(name);
  EXPECT_EQ(*read_file(content.path / "config.json"), "{}");
  EXPECT_EQ(*read_file(content.path / "a" / "weights"), "www");
  EXPECT_EQ(*cache_->used_bytes(), 5);
  EXPECT_TRUE(is_tidy());
  get(name);
  EXPECT_EQ(source_.fetched().size(), 3u);
}

TEST_F(ContentCacheTest, JobsCannotWriteIntoIt) {
  const CachedContent content = get(source_.add("f", "rows"));
  EXPECT_EQ(fs::status(content.path).permissions() & fs::perms::all, fs::perms(0444));
}

TEST_F(ContentCacheTest, ManyThatWantItCauseOneFetch) {
  const ContentName name = source_.add("f", "rows");
  std::atomic<int> asked = 0;
  // Nobody gets it before everybody has asked.
  source_.on_fetch([&] {
    while (asked < 8) std::this_thread::yield();
  });
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ++asked;
      good += try_to_get(name).ok() ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(source_.fetched().size(), 1u);
}

TEST_F(ContentCacheTest, AFailedFetchLetsTheNextOneTry) {
  const ContentName name = source_.add("f", "rows");
  source_.answer({data_loss("damaged")});
  const Status status = refusal(name);
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr(to_string(name)));
  EXPECT_FALSE(cache_->has(content_key(name)));
  EXPECT_EQ(*cache_->used_bytes(), 0);
  EXPECT_TRUE(is_tidy());
  EXPECT_EQ(*read_file(get(name).path), "rows");
}

TEST_F(ContentCacheTest, ACoordinatorThatIsAwayIsWaitedFor) {
  const auto name = source_.add_folder("m", {{"a", "1"}, {"b", "2"}});
  source_.answer({Status(), Status(), unavailable("away"), unavailable("away")});
  EXPECT_EQ(*read_file(get(name).path / "b"), "2");
  EXPECT_EQ(source_.fetched().size(), 5u) << "list and a once, b three times";
}

TEST_F(ContentCacheTest, AStopEndsTheFetchAndTheWaitForAnothers) {
  const ContentName name = source_.add("f", "rows");
  std::stop_source mine, others;
  std::atomic<bool> fetching = false, stopped = false;
  source_.on_fetch([&] {
    fetching = true;
    while (!stopped) std::this_thread::yield();
  });
  std::thread fetcher(
      [&] { EXPECT_EQ(try_to_get(name, mine.get_token()).status().code(), Code::kCancelled); });
  while (!fetching) std::this_thread::yield();
  std::thread waiter(
      [&] { EXPECT_EQ(try_to_get(name, others.get_token()).status().code(), Code::kCancelled); });
  while (cache_->waiting_for(content_key(name)) == 0) std::this_thread::yield();
  others.request_stop();
  waiter.join();
  mine.request_stop();
  stopped = true;
  fetcher.join();
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, TheLeastRecentlyUsedGivesWay) {
  open(10);
  const auto a = source_.add("a", "aaaa"), b = source_.add("b", "bbbb"),
             c = source_.add("c", "cccc");
  get(a);
  get(b);
  get(a);
  get(c);
  EXPECT_TRUE(cache_->has(content_key(a)));
  EXPECT_FALSE(cache_->has(content_key(b)));
  EXPECT_TRUE(cache_->has(content_key(c)));
  EXPECT_EQ(*cache_->used_bytes(), 8);
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, WhatIsInUseNeverGivesWay) {
  open(10);
  const CachedContent held = get(source_.add("a", "aaaa"));
  {
    const CachedContent too = get(source_.add("b", "bbbb"));
    const Status status = refusal(source_.add("c", "cccc"));
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_THAT(status.message(), HasSubstr("4 bytes do not fit: jobs that run use 8 bytes"));
    EXPECT_THAT(status.message(), HasSubstr("--cache-limit is 10"));
  }
  EXPECT_TRUE(try_to_get(source_.add("c", "cccc")).ok()) << "b is free now";
  EXPECT_EQ(*read_file(held.path), "aaaa");
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, WhatDoesNotFitAtAllThrowsNothingOut) {
  open(10);
  const auto a = source_.add("a", "aaaa");
  get(a);
  EXPECT_EQ(refusal(source_.add("big", "eleven bytes")).code(), Code::kResourceExhausted);
  EXPECT_TRUE(cache_->has(content_key(a)));
}

TEST_F(ContentCacheTest, ADiskThatFillsInAFolderGetsItsRoomBack) {
  open(8);
  const auto name = source_.add_folder("m", {{"a", "1111"}, {"b", "2222"}});
  const size_t list =
      print_folder_list({{"a", 4, sha256_hex("1111")}, {"b", 4, sha256_hex("2222")}}).size();
  {
    const FullDisk disk(list + 6);
    const Status status = refusal(name);
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_THAT(status.message(), HasSubstr("No space left on device"));
  }
  EXPECT_EQ(source_.fetched().size(), 3u) << "b was on its way";
  EXPECT_TRUE(is_tidy());
  EXPECT_EQ(*read_file(get(name).path / "b"), "2222");
}

TEST_F(ContentCacheTest, ARestartKeepsWholeEntriesAndTheirOrder) {
  const auto a = source_.add("a", "aaaa"), b = source_.add("b", "bbbb");
  get(a);
  get(b);
  fs::last_write_time(folder_.path() / b.sha256, fs::file_time_type::clock::now() - Millis(60'000));
  fs::create_directories(folder_.path() / "incoming" / std::string(64, 'a'));
  open(10);
  EXPECT_EQ(*cache_->used_bytes(), 8);
  get(source_.add("c", "cccc"));
  EXPECT_TRUE(is_tidy()) << "what was on its way has given way too";
  EXPECT_TRUE(cache_->has(content_key(a)));
  EXPECT_FALSE(cache_->has(content_key(b)));
}

TEST_F(ContentCacheTest, AFolderThatOthersMayWriteIsRefused) {
  fs::permissions(folder_.path(), fs::perms::others_write, fs::perm_options::add);
  const Status status = ContentCache::open({folder_.path(), 10}).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("may be written by other accounts"));
}

TEST_F(ContentCacheTest, WorkersOfOneHostFetchOnce) {
  const ContentName name = source_.add("f", "rows");
  const auto other = another();
  std::atomic<int> asked = 0;
  source_.on_fetch([&] {
    while (asked < 8) std::this_thread::yield();
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      ++asked;
      const auto content = get_from(i % 2 == 0 ? *cache_ : *other, name);
      ASSERT_TRUE(content.ok()) << content.status().message();
      EXPECT_EQ(*read_file(content->path), "rows");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(source_.fetched().size(), 1u);
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, WhatAnotherWorkerUsesNeverGivesWay) {
  open(10);
  auto other = another(10);
  const ContentName a = source_.add("a", "aaaa"), b = source_.add("b", "bbbb");
  auto held = get_from(*other, a);
  get(b);
  get(source_.add("c", "cccc"));
  EXPECT_TRUE(cache_->has(content_key(a)));
  EXPECT_FALSE(cache_->has(content_key(b))) << "a was used before it";
  EXPECT_EQ(*read_file(held->path), "aaaa");
  held = Status();
  other.reset();
  get(b);
  EXPECT_FALSE(cache_->has(content_key(a)));
  EXPECT_FALSE(fs::exists(folder_.path() / "locks" / content_key(a)));
}

TEST_F(ContentCacheTest, RoomIsKeptForWhatAnotherWorkerFetches) {
  open(10);
  const auto other = another(10);
  const ContentName a = source_.add("a", "aaaaaa"), b = source_.add("b", "bbbbbb");
  Status refused;
  source_.on_fetch([&] {
    source_.on_fetch({});
    refused = get_from(*other, b).status();
  });
  get(a);
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("jobs that run use 6 bytes"));
  EXPECT_TRUE(get_from(*other, b).ok()) << "a is used no more";
}

TEST_F(ContentCacheTest, AWorkerThatStartsLeavesWhatAnotherFetches) {
  const ContentName name = source_.add("f", "rows");
  source_.on_fetch([&] { EXPECT_NE(another(), nullptr); });
  EXPECT_EQ(*read_file(get(name).path), "rows");
}

TEST_F(ContentCacheTest, AStopEndsTheWaitForAnotherWorker) {
  const ContentName name = source_.add("f", "rows");
  const auto other = another();
  std::stop_source stop;
  source_.on_fetch([&] {
    std::thread waiter([&] {
      EXPECT_EQ(get_from(*other, name, stop.get_token()).status().code(), Code::kCancelled);
    });
    while (!other->is_bringing(content_key(name))) std::this_thread::yield();
    stop.request_stop();
    waiter.join();
  });
  EXPECT_EQ(*read_file(get(name).path), "rows");
}

TEST_F(ContentCacheTest, AnotherWorkerFetchesWhatOneCouldNot) {
  const ContentName name = source_.add("f", "rows");
  const auto other = another();
  source_.answer({data_loss("damaged")});
  std::thread second;
  source_.on_fetch([&] {
    source_.on_fetch({});
    second = std::thread([&] { EXPECT_TRUE(get_from(*other, name).ok()); });
    while (!other->is_bringing(content_key(name))) std::this_thread::yield();
  });
  EXPECT_EQ(refusal(name).code(), Code::kDataLoss);
  second.join();
  EXPECT_EQ(source_.fetched().size(), 2u);
  EXPECT_TRUE(is_tidy());
}

// Leaves a half, until it is let end.
class HalfOrigin : public Origin {
 public:
  std::string key() const override { return sha256_hex("half"); }
  std::string name() const override { return "half"; }
  std::string text() const override { return "half"; }
  Result<fs::path> bring(const fs::path& work, const Reserve& reserve,
                         const std::stop_token&) const override {
    PM_TRY(reserve(8));
    found_half = fs::exists(work / "half");
    PM_TRY(write_file_atomic(work / "half", found_half ? "12345678" : "1234"));
    if (meanwhile) meanwhile();
    if (found_half) return work / "half";
    return unavailable("it broke off");
  }

  std::function<void()> meanwhile;
  mutable bool found_half = false;
};

TEST_F(ContentCacheTest, WhatBrokeOffIsGoneOnWithLater) {
  open(8);
  const HalfOrigin half;
  EXPECT_EQ(cache_->get(half, {}).status().code(), Code::kUnavailable);
  EXPECT_FALSE(half.found_half);
  const auto other = another(8);
  const auto whole = other->get(half, {});
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_TRUE(half.found_half) << "a worker that starts leaves what is gone on with";
  EXPECT_EQ(*read_file(whole->path), "12345678");
}

TEST_F(ContentCacheTest, WhatBrokeOffGivesWayToo) {
  open(8);
  EXPECT_EQ(cache_->get(HalfOrigin(), {}).status().code(), Code::kUnavailable);
  EXPECT_FALSE(is_tidy());
  get(source_.add("f", "rows1"));
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, ThoseWhoWaitForAnOutageEndWithIt) {
  HalfOrigin half;
  half.meanwhile = [&] {
    while (cache_->waiting_for(half.key()) == 0) std::this_thread::yield();
  };
  std::thread first([&] { EXPECT_EQ(cache_->get(half, {}).status().code(), Code::kUnavailable); });
  while (!cache_->is_bringing(half.key())) std::this_thread::yield();
  EXPECT_EQ(cache_->get(half, {}).status().code(), Code::kUnavailable);
  first.join();
  half.meanwhile = nullptr;
  EXPECT_TRUE(cache_->get(half, {}).ok()) << "who comes later tries again";
}

TEST_F(ContentCacheTest, AWorkerThatWasKilledLeavesItsRoomToTheNext) {
  open(10);
  const ContentName name = source_.add("f", "sixsix");
  const pid_t pid = fork();
  if (pid == 0) {
    const auto mine = another(10);
    source_.on_fetch([] { raise(SIGKILL); });
    static_cast<void>(get_from(*mine, name));
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(is_tidy());
  EXPECT_EQ(*read_file(get(name).path), "sixsix");
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, ManyMayMakeRoomAtOnce) {
  open(24);  // of six bytes for each thread
  const auto other = another(24);
  std::vector<ContentName> names;
  for (int i = 0; i < 60; ++i) names.push_back(source_.add("f", "byte" + std::to_string(10 + i)));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = static_cast<size_t>(thread); i < names.size(); i += 4) {
        const auto content = get_from(thread % 2 == 0 ? *cache_ : *other, names[i]);
        EXPECT_TRUE(content.ok()) << content.status().message();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(*cache_->used_bytes(), 24);
  EXPECT_TRUE(is_tidy());
}

TEST_F(ContentCacheTest, LocksOfNothingAreRemoved) {
  EXPECT_EQ(refusal({sha256_hex("nowhere"), "f"}).code(), Code::kNotFound);
  EXPECT_TRUE(write_file_atomic(folder_.path() / "locks" / sha256_hex("gone"), "").ok());
  get(source_.add("f", "rows"));
  open();
  std::vector<std::string> locks;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "locks")) {
    locks.push_back(entry.path().filename());
  }
  EXPECT_THAT(locks, testing::UnorderedElementsAre("room", sha256_hex("rows")));
}

TEST_F(ContentCacheTest, AListThatLeavesItsFolderIsRefused) {
  const auto list = source_.add(
      "", R"({"files": [{"path": "../../x", "bytes": 1, "sha256": ")" + sha256_hex("x") + "\"}]}");
  const Status status = refusal({list.sha256, "m", true});
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("does not stay in the folder"));
  EXPECT_TRUE(is_tidy());
}

}  // namespace
}  // namespace prefixmem::agent
