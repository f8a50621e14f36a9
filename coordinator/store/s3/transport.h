// Sends requests to an S3-compatible store over libcurl, which signs them (AWS Signature 4).
//
// What libcurl 7.88 does of that: it signs every header that it is given, a session token's too,
// and takes the digest of what is sent from x-amz-content-sha256. It signs a query as it stands, so
// its names are put in order here, each with a '='; an emptied header it signs wrongly, so `Expect`
// is left to it.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/store/s3/options.h"
#include "coordinator/store/s3/request.h"

namespace prefixmem::store::s3 {

// Thread-safe; connections are kept for later requests.
class Transport {
 public:
  explicit Transport(Options options) : options_(std::move(options)) {}
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  const Options& options() const { return options_; }

  // An answer of 2xx. A request that had no answer, a 5xx or a 429 is sent again after a pause, and
  // in the end UNAVAILABLE; a 404 is NOT_FOUND and any other answer FAILED_PRECONDITION. Every
  // failure names bucket, key and what S3 said.
  Result<Answer> send(const Request& request);

  // Ends what is under way and every pause, from another thread; nothing is sent afterwards.
  void stop();

 private:
  struct Outcome {
    Result<Answer> answer;
    bool may_pass = false;
  };
  Outcome send_once(const Request& request);
  // False where it is to stop.
  bool pause(int retry);
  void* take_handle();
  void give_back(void* handle);

  const Options options_;
  std::atomic<bool> stopped_ = false;
  Mutex mutex_;
  CondVar changed_;
  std::vector<void*> idle_ PM_GUARDED_BY(mutex_);  // of libcurl, each with its connections
};

}  // namespace prefixmem::store::s3
