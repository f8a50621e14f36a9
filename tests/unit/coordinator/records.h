// Records for the store's tests, and a store in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "coordinator/store/store.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::store {

// Can be closed and opened again over the same folder.
class StoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto opened = Store::open(path());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  void reopen() {
    store_.reset();
    open();
  }

  std::filesystem::path path() const { return folder_.path() / "data"; }
  std::filesystem::path database() const { return path() / "coordinator.db"; }
  Store& store() { return *store_; }
  Reader& reader() { return store_->reader(); }

  // One transaction.
  template <class Write>
  Status write(Write write) {
    Transaction transaction(*store_);
    write(transaction);
    return transaction.commit();
  }

 private:
  const TempFolder folder_;
  std::unique_ptr<Store> store_;
};

inline JobRecord job_record(const std::string& id, const std::string& name = "a",
                            v1::JobState state = v1::JOB_STATE_QUEUED) {
  JobRecord record;
  record.job.set_id(id);
  record.job.set_name(name);
  record.job.set_state(state);
  record.job.set_ranks(2);
  return record;
}

inline v1::JobEvent event(const std::string& job_id, int64_t number) {
  v1::JobEvent event;
  event.set_job_id(job_id);
  event.set_number(number);
  event.mutable_state()->set_reason("event " + std::to_string(number));
  return event;
}

inline v1::JobEvent log_event(const std::string& job_id, int64_t number) {
  v1::JobEvent event;
  event.set_job_id(job_id);
  event.set_number(number);
  event.mutable_trainer()->mutable_log()->set_message("line " + std::to_string(number));
  return event;
}

inline v1::Artifact artifact(const std::string& path, const std::string& sha256, int64_t step = 0,
                             int attempt = 1, const std::string& kind = "checkpoint") {
  v1::Artifact artifact;
  artifact.set_path(path);
  artifact.set_kind(kind);
  artifact.set_sha256(sha256);
  artifact.set_step(step);
  artifact.set_attempt(attempt);
  return artifact;
}

}  // namespace prefixmem::store
