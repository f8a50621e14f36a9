// Tenants of the coordinator: whose a job is, quotas, shares over time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/spec_io.h"
#include "coordinator/core/find_job.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class TenantsTest : public CoordinatorTest {
 protected:
  Status submit_for(const std::string& tenant, const std::string& name,
                    const std::string& more = "") {
    return coordinator().submit(spec(name, more), "", tenant).status();
  }
  v1::Tenant set(const std::string& tenant, int weight, const v1::Quota& quota = {}) {
    const auto set = coordinator().set_tenant(request(tenant, weight, quota));
    EXPECT_TRUE(set.ok()) << set.status().message();
    return set.ok() ? *set : v1::Tenant();
  }
  static v1::SetTenantRequest request(const std::string& tenant, int weight,
                                      const v1::Quota& quota) {
    v1::SetTenantRequest request;
    request.set_tenant(tenant);
    request.set_weight(weight);
    *request.mutable_quota() = quota;
    return request;
  }
  v1::Tenant tenant(const std::string& name) {
    const auto all = coordinator().tenants();
    EXPECT_TRUE(all.ok()) << all.status().message();
    if (!all.ok()) return {};
    for (const v1::Tenant& one : *all) {
      if (one.name() == name) return one;
    }
    return {};
  }
};

v1::Quota slots(int count) {
  v1::Quota quota;
  quota.set_slots(count);
  return quota;
}

v1::Quota queued_jobs(int count) {
  v1::Quota quota;
  quota.set_queued_jobs(count);
  return quota;
}

v1::Quota stored_bytes(int64_t count) {
  v1::Quota quota;
  quota.set_stored_bytes(count);
  return quota;
}

TEST_F(TenantsTest, AJobIsOfWhoSubmittedIt) {
  submit("nobodys");
  ASSERT_TRUE(submit_for("vision", "theirs").ok());
  EXPECT_EQ(job("nobodys").tenant(), "default");
  EXPECT_EQ(job("theirs").tenant(), "vision");
}

TEST_F(TenantsTest, TheTrialsOfASweepAreOfItsTenant) {
  const auto sweep = parse_job_spec(
      "name: s\nmodel: /m\ndata: {train: t, eval: e}\ntrain: {max_steps: 9, eval_every: 1}\n"
      "sweep: {search: random, budget: {trials: 2}, seed: 3, goal: {metric: loss, mode: min},"
      " max_concurrent: 1, space: {train.weight_decay: {type: uniform, low: 0, high: 1}}}\n");
  ASSERT_TRUE(sweep.ok()) << sweep.status().message();
  const auto made = coordinator().submit(*sweep, "", "vision");
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->jobs(0).tenant(), "vision");
  EXPECT_EQ(find_sweep(coordinator().reader(), made->sweep_id())->tenant(), "vision");
  ASSERT_TRUE(coordinator().cancel(made->jobs(0).id()).ok());
  pass(Millis(200));
  const auto trials = *coordinator().reader().trials(made->sweep_id());
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[1].tenant(), "vision") << "the one that began later";
}

TEST_F(TenantsTest, TheyTakeTurns) {
  set("a", 1);
  set("b", 1);
  for (const char* name : {"a1", "a2", "a3"}) ASSERT_TRUE(submit_for("a", name).ok());
  ASSERT_TRUE(submit_for("b", "b1").ok());
  ASSERT_TRUE(connect("w", 2).ok());
  pass(Millis(100));
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a1/1", "assign b1/1"));
}

TEST_F(TenantsTest, AQuotaOfSlotsHoldsUntilItIsRaised) {
  set("a", 1, slots(1));
  ASSERT_TRUE(connect("w", 2).ok());
  ASSERT_TRUE(submit_for("a", "a1").ok());
  ASSERT_TRUE(submit_for("a", "a2").ok());
  EXPECT_EQ(state("a2"), "queued: waits for 1 slot of the quota of tenant a, which is 1");
  const v1::Tenant raised = set("a", 1, slots(2));
  EXPECT_EQ(raised.used_slots(), 2);
  EXPECT_THAT(state("a2"), StartsWith("starting"));
  EXPECT_EQ(submit_for("a", "wide", "resources: {ranks: 3}").to_string(),
            "RESOURCE_EXHAUSTED: resources.ranks is 3; allowed for tenant a: at most 2");
}

TEST_F(TenantsTest, AQuotaOfWaitingJobsHoldsAtSubmission) {
  set("a", 1, queued_jobs(2));
  ASSERT_TRUE(submit_for("a", "a1").ok());
  EXPECT_EQ(submit_for("a", "s", "sweep: {grid: {train.seed: [1, 2]}}").to_string(),
            "RESOURCE_EXHAUSTED: tenant a would have 3 jobs waiting; allowed: at most 2");
  ASSERT_TRUE(submit_for("a", "a2").ok());
  EXPECT_EQ(submit_for("a", "a3").code(), Code::kResourceExhausted);
  EXPECT_TRUE(submit_for("b", "b1").ok());
  ASSERT_TRUE(connect("w", 1).ok());
  pass(Millis(100));
  EXPECT_TRUE(submit_for("a", "a3").ok()) << "one has started";
}

TEST_F(TenantsTest, AFullStoreKeepsMoreFromComingAndWhatRunsGoesOn) {
  set("a", 1, stored_bytes(100));
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(submit_for("a", "a1").ok());
  ASSERT_TRUE(submit_for("a", "a2").ok());
  v1::Artifact file = checkpoint(10);
  file.set_bytes(100);
  ASSERT_TRUE(coordinator().add_artifact(attempt("a1/1"), file).ok());
  EXPECT_EQ(tenant("a").stored_bytes(), 100);
  EXPECT_EQ(submit_for("a", "a3").to_string(),
            "RESOURCE_EXHAUSTED: tenant a has files of 100 bytes stored; allowed, for more jobs: "
            "less than 100");
  ASSERT_TRUE(upload("a1/1", 20).ok()) << "no work is lost";
  ASSERT_TRUE(ended("w", "a1/1", "OK").ok());
  pass(Millis(100));
  EXPECT_THAT(state("a2"), StartsWith("starting")) << "the earlier checkpoint has gone";
}

TEST_F(TenantsTest, TheySayWhatTheyUse) {
  set("a", 2, queued_jobs(9));
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(submit_for("a", "a1").ok());
  ASSERT_TRUE(submit_for("a", "a2").ok());
  clock_.advance(std::chrono::hours(24));
  const v1::Tenant a = tenant("a");
  EXPECT_EQ(a.weight(), 2);
  EXPECT_EQ(a.used_slots(), 1);
  EXPECT_EQ(a.queued_jobs(), 1);
  EXPECT_DOUBLE_EQ(a.recent_slots(), 0.5);
  EXPECT_EQ(a.quota().queued_jobs(), 9);
  EXPECT_FALSE(a.quota().has_slots());
  EXPECT_EQ(tenant("default").weight(), 1);
}

TEST_F(TenantsTest, ARestartKeepsQuotasAndWhatWasUsed) {
  set("a", 2, slots(5));
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(submit_for("a", "a1").ok());
  for (int hour = 0; hour < 24; ++hour) {
    clock_.advance(std::chrono::hours(1));
    ASSERT_TRUE(heartbeat("w", {"a1/1"}).ok());
    coordinator().tick();
  }
  EXPECT_NEAR(tenant("a").recent_slots(), 0.5, 1e-3);
  clock_.advance(std::chrono::hours(24));
  restart();
  EXPECT_NEAR(tenant("a").recent_slots(), 0.75, 1e-3) << "gangs go on while it is away";
  EXPECT_EQ(tenant("a").quota().slots(), 5);
}

TEST_F(TenantsTest, WhoHasStartedKeepsItsTurn) {
  set("a", 1);
  set("b", 1);
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(submit_for("a", "a1").ok());
  clock_.advance(std::chrono::hours(1));
  pass(Millis(100));
  ASSERT_TRUE(submit_for("a", "a2").ok());
  ASSERT_TRUE(submit_for("b", "b1").ok());
  ASSERT_TRUE(coordinator().drain("w").ok());
  ASSERT_TRUE(ended("w", "a1/1", "UNAVAILABLE", "asked to leave").ok());
  EXPECT_THAT(state("a1"), StartsWith("queued"));
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(coordinator().uncordon("w").ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a1/2"))
      << "whatever its tenant has had";
  ASSERT_TRUE(ended("w", "a1/2", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign b1/1", "end of a1/2")) << "a has had more of late";
}

TEST_F(TenantsTest, WhatIsAskedForIsChecked) {
  const auto refusal = [&](const v1::SetTenantRequest& asked) {
    const Status status = coordinator().set_tenant(asked).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal(request("a b", 1, {})), HasSubstr("tenant is \"a b\"; allowed: 1 to 64"));
  EXPECT_EQ(refusal(request("a", 1001, {})),
            "weight is 1001; allowed: a number from 1 to 1000, or 0 for 1");
  EXPECT_EQ(refusal(request("a", 1, slots(0))),
            "quota.slots is 0; allowed: at least 1, or none for no bound");
  EXPECT_THAT(refusal(request("a", 1, queued_jobs(-1))), StartsWith("quota.queued_jobs is -1"));
  EXPECT_THAT(refusal(request("a", 1, stored_bytes(0))), StartsWith("quota.stored_bytes is 0"));
  EXPECT_EQ(tenant("a").name(), "");
}

TEST_F(TenantsTest, TheirIdempotencyKeysAreApart) {
  const auto first = coordinator().submit(spec("a"), "nightly", "vision");
  const auto other = coordinator().submit(spec("a"), "nightly", "speech");
  const auto again = coordinator().submit(spec("a"), "nightly", "vision");
  ASSERT_TRUE(first.ok() && other.ok() && again.ok());
  EXPECT_NE(first->jobs(0).id(), other->jobs(0).id());
  EXPECT_EQ(first->jobs(0).id(), again->jobs(0).id());
  EXPECT_THAT(coordinator().submit(spec("b"), "nightly", "vision").status().to_string(),
              StartsWith("FAILED_PRECONDITION: idempotency_key \"nightly\" was used for another"));
}

}  // namespace
}  // namespace prefixmem
