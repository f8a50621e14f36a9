// Filters and pages of Reader::list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<std::string>;

Ids ids_of(const std::vector<v1::Job>& jobs) {
  Ids ids;
  for (const v1::Job& job : jobs) ids.push_back(job.id());
  return ids;
}

class ListTest : public StoreTest {
 protected:
  void insert(const std::string& id, const std::string& name,
              v1::JobState state = v1::JOB_STATE_QUEUED, const std::string& sweep_id = "",
              const std::map<std::string, std::string>& labels = {}) {
    JobRecord record = job_record(id, name, state);
    record.job.set_sweep_id(sweep_id);
    record.job.mutable_spec()->mutable_labels()->insert(labels.begin(), labels.end());
    ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(record); }).ok());
  }
  Ids list(const JobFilter& filter) {
    const auto page = reader().list(filter, 100);
    EXPECT_TRUE(page.ok()) << page.status().message();
    EXPECT_EQ(page->next_seq, 0);
    return ids_of(page->jobs);
  }
};

TEST_F(ListTest, NewestFirst) {
  for (const char* id : {"j1", "j2", "j3"}) insert(id, "a");
  EXPECT_THAT(list({}), ElementsAre("j3", "j2", "j1"));
}

TEST_F(ListTest, ByStates) {
  insert("j1", "a", v1::JOB_STATE_RUNNING);
  insert("j2", "a", v1::JOB_STATE_QUEUED);
  insert("j3", "a", v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(list({.states = {v1::JOB_STATE_RUNNING}}), ElementsAre("j1"));
  EXPECT_THAT(list({.states = {v1::JOB_STATE_RUNNING, v1::JOB_STATE_CANCELLED}}),
              ElementsAre("j3", "j1"));
  EXPECT_THAT(list({.states = {v1::JOB_STATE_FAILED}}), IsEmpty());
}

TEST_F(ListTest, TheNewestUnfinished) {
  insert("j1", "a", v1::JOB_STATE_RUNNING);
  insert("j2", "a", v1::JOB_STATE_FAILED);
  insert("j3", "a", v1::JOB_STATE_QUEUED);
  insert("j4", "a", v1::JOB_STATE_SUCCEEDED);
  insert("j5", "a", v1::JOB_STATE_STARTING);
  insert("j6", "a", v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(ids_of(reader().newest_unfinished(3)->jobs), ElementsAre("j5", "j3", "j1"));
  EXPECT_THAT(ids_of(reader().newest_unfinished(2)->jobs), ElementsAre("j5", "j3"));
}

TEST_F(ListTest, ByNameAndPrefix) {
  insert("j1", "lora");
  insert("j2", "lora-2");
  insert("j3", "l%ra");
  EXPECT_THAT(list({.name = "lora"}), ElementsAre("j1"));
  EXPECT_THAT(list({.name_prefix = "lora"}), ElementsAre("j2", "j1"));
  EXPECT_THAT(list({.name_prefix = "l%"}), ElementsAre("j3"));
  EXPECT_THAT(list({.name = "lora'; --"}), IsEmpty());
}

TEST_F(ListTest, ByAllLabels) {
  insert("j1", "a", v1::JOB_STATE_QUEUED, "", {{"team", "x"}, {"sweep.train.seed", "1"}});
  insert("j2", "a", v1::JOB_STATE_QUEUED, "", {{"team", "x"}});
  insert("j3", "a", v1::JOB_STATE_QUEUED, "", {{"team", "\"q\" ü"}});
  EXPECT_THAT(list({.labels = {{"team", "x"}}}), ElementsAre("j2", "j1"));
  EXPECT_THAT(list({.labels = {{"team", "x"}, {"sweep.train.seed", "1"}}}), ElementsAre("j1"));
  EXPECT_THAT(list({.labels = {{"team", "\"q\" ü"}}}), ElementsAre("j3"));
  EXPECT_THAT(list({.labels = {{"seed", "1"}}}), IsEmpty());
}

TEST_F(ListTest, ALabelThatLooksLikeANumberIsText) {
  insert("j1", "a", v1::JOB_STATE_QUEUED, "", {{"seed", "010"}, {"7", "1e-3"}});
  EXPECT_THAT(list({.labels = {{"seed", "010"}, {"7", "1e-3"}}}), ElementsAre("j1"));
  EXPECT_THAT(list({.labels = {{"seed", "10"}}}), IsEmpty());
}

TEST_F(ListTest, BySweep) {
  insert("j1", "a-1", v1::JOB_STATE_QUEUED, "sweep-1");
  insert("j2", "b", v1::JOB_STATE_QUEUED);
  insert("j3", "a-2", v1::JOB_STATE_FAILED, "sweep-1");
  EXPECT_THAT(list({.sweep_id = "sweep-1"}), ElementsAre("j3", "j1"));
  EXPECT_THAT(list({.states = {v1::JOB_STATE_FAILED}, .sweep_id = "sweep-1"}), ElementsAre("j3"));
  EXPECT_THAT(ids_of(*reader().trials("sweep-1")), ElementsAre("j1", "j3"));
}

TEST_F(ListTest, IdsOfANameAreNewestFirst) {
  for (const char* id : {"j3", "j1", "j2"}) insert(id, "same");
  insert("j4", "other");
  EXPECT_THAT(*reader().ids_named("same", 10), ElementsAre("j2", "j1", "j3"));
  EXPECT_THAT(*reader().ids_named("same", 2), ElementsAre("j2", "j1"));
}

TEST_F(ListTest, PagesCoverEveryJobOnceWhileOthersAreSubmitted) {
  for (int i = 1; i <= 7; ++i) insert("j" + std::to_string(i), "a");
  JobFilter filter{.name = "a"};
  Ids seen;
  int pages = 0;
  do {
    const auto page = reader().list(filter, 3);
    ASSERT_TRUE(page.ok());
    for (const std::string& id : ids_of(page->jobs)) seen.push_back(id);
    filter.before_seq = page->next_seq;
    insert("later" + std::to_string(++pages), "a");
  } while (filter.before_seq != 0);
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(seen, ElementsAre("j7", "j6", "j5", "j4", "j3", "j2", "j1"));
}

TEST_F(ListTest, AFullLastPageIsTheLast) {
  for (const char* id : {"j1", "j2"}) insert(id, "a");
  EXPECT_EQ(reader().list({}, 2)->next_seq, 0);
}

TEST_F(ListTest, APageIsBoundedInBytesAndLeavesTheStderrTailOut) {
  for (const char* id : {"j1", "j2", "j3"}) {
    JobRecord record = job_record(id);
    record.job.set_reason(std::string(Reader::kPageBytes / 2 + 1, 'r'));
    record.job.set_stderr_tail("trace");
    ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(record); }).ok());
  }
  const auto page = reader().list({}, 100);
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(ids_of(page->jobs), ElementsAre("j3", "j2"));
  EXPECT_EQ(page->jobs[0].stderr_tail(), "");
  EXPECT_EQ((*reader().job("j3"))->stderr_tail(), "trace");
  EXPECT_THAT(ids_of(reader().list({.before_seq = page->next_seq}, 100)->jobs), ElementsAre("j1"));
}

}  // namespace
}  // namespace prefixmem::store
