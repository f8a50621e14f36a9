// Blobs that pass every call on; a test overrides what it wants to look at or to change.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "coordinator/store/blobs.h"

namespace prefixmem {

class PassingBlobs : public store::Blobs {
 public:
  explicit PassingBlobs(std::unique_ptr<store::Blobs> real) : real_(std::move(real)) {}

  std::string place() const override { return real_->place(); }
  Result<std::unique_ptr<store::BlobWriter>> begin() override { return real_->begin(); }
  Result<std::unique_ptr<store::BlobWriter>> resume(const store::BlobPlan& plan) override {
    return real_->resume(plan);
  }
  Result<int64_t> unfinished(const std::string& sha256) const override {
    return real_->unfinished(sha256);
  }
  Result<int> drop_unfinished(Millis age) override { return real_->drop_unfinished(age); }
  Result<std::unique_ptr<store::BlobReader>> read(const std::string& sha256,
                                                  int64_t offset) const override {
    return real_->read(sha256, offset);
  }
  Result<std::optional<int64_t>> size(const std::string& sha256) const override {
    return real_->size(sha256);
  }
  std::shared_ptr<const void> pin(const std::string& sha256) override { return real_->pin(sha256); }
  std::shared_ptr<const void> keep_all() override { return real_->keep_all(); }
  Result<bool> remove(const std::string& sha256) override { return real_->remove(sha256); }
  Result<int> keep_only(const std::set<std::string>& digests) override {
    return real_->keep_only(digests);
  }

 private:
  const std::unique_ptr<store::Blobs> real_;
};

}  // namespace prefixmem
