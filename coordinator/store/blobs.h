// Files by their content. A blob is whole or absent. What keeps them is behind this interface: a
// folder (directory_blobs.h), or a bucket of an object store (s3/s3_blobs.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/status.h"

namespace prefixmem::store {

// Takes in one blob; not thread-safe. finish() and a reader's read() may wait for another host.
// Destroyed unfinished it leaves nothing, or, of Blobs::resume, what a later writer goes on from.
// Once finished it keeps the blob from being removed as long as it lives: until then the blob can
// be listed. Where the disk takes no more: UNAVAILABLE, for whoever brings a file of a job is to
// try again; RESOURCE_EXHAUSTED of Blobs::resume, and then nothing of it stays.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual Status write(std::string_view chunk) = 0;
  // So far, those of the writer that this one goes on from included.
  virtual int64_t bytes() const = 0;
  // Nothing of it stays; then only the destructor may follow.
  virtual void discard() = 0;
  // Durable when it returns OK. DATA_LOSS where the content's digest is another than `sha256`:
  // nothing of it stays.
  virtual Status finish(const std::string& sha256) = 0;
};

// Reads one blob; not thread-safe. What is removed meanwhile can still be read.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual int64_t bytes() const = 0;  // of the whole blob
  // The next bytes, at most `most`; empty at the end.
  virtual Result<std::string> read(size_t most) = 0;
};

// What a blob is to be, for one that may come in several parts.
struct BlobPlan {
  std::string sha256;
  int64_t bytes = 0;
  int64_t offset = 0;  // of the first byte to be written; what is there after it is dropped
};

// Thread-safe. Outlives its writers and pins.
class Blobs {
 public:
  virtual ~Blobs() = default;

  // For people: a folder, or s3://BUCKET/PREFIX.
  virtual std::string place() const = 0;

  virtual Result<std::unique_ptr<BlobWriter>> begin() = 0;
  // Goes on after `plan.offset` bytes of an earlier writer. FAILED_PRECONDITION where there are
  // fewer, UNAVAILABLE as long as another such writer of the digest lives, RESOURCE_EXHAUSTED where
  // there is no room for the rest.
  virtual Result<std::unique_ptr<BlobWriter>> resume(const BlobPlan& plan) = 0;
  // Bytes that resume can go on from.
  virtual Result<int64_t> unfinished(const std::string& sha256) const = 0;
  // Drops what no writer has touched for `age`; how many.
  virtual Result<int> drop_unfinished(Millis age) = 0;

  // From an offset on; at or after the end there is nothing to read. NOT_FOUND.
  virtual Result<std::unique_ptr<BlobReader>> read(const std::string& sha256,
                                                   int64_t offset = 0) const = 0;
  // None: it is not there.
  virtual Result<std::optional<int64_t>> size(const std::string& sha256) const = 0;
  // Keeps a blob, one that is to come too, from being removed until the handle is gone.
  virtual std::shared_ptr<const void> pin(const std::string& sha256) = 0;

  // Nothing is removed until the handle is gone; then what should have been is, unless a writer has
  // brought it again.
  virtual std::shared_ptr<const void> keep_all() = 0;

  // Whether it went; one that is pinned stays, and so does any while somebody keeps them all.
  virtual Result<bool> remove(const std::string& sha256) = 0;
  // Removes all others, as above; how many.
  virtual Result<int> keep_only(const std::set<std::string>& digests) = 0;

  // The process is about to end: whoever waits for another host fails with UNAVAILABLE.
  virtual void stop_waiting() {}
};

}  // namespace prefixmem::store
