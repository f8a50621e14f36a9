// Which bucket keeps the blobs, and how it is spoken to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/backoff.h"
#include "common/status.h"

namespace prefixmem::store::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: they are not temporary ones
};

struct Options {
  std::string bucket;
  std::string prefix;    // of every key: empty, or NAME/…/NAME/
  std::string endpoint;  // http[s]://HOST[:PORT]
  std::string region = "us-east-1";
  Credentials credentials;
  std::string ca_file = {};  // PEM; empty: the system's
  // A request that may pass is sent again: 6 pauses, ten seconds together at most.
  BackoffPolicy pauses = {.longest = std::chrono::seconds(4)};
  int tries = 7;
  int64_t part_bytes = int64_t{64} << 20;  // what is longer is sent in parts; S3 allows from 5 MiB

  std::string place() const { return "s3://" + bucket + "/" + prefix; }
};

// As flags give them. INVALID_ARGUMENT naming the flag.
struct Flags {
  std::string blobs;     // --blobs: s3://BUCKET[/PREFIX]
  std::string endpoint;  // --s3-endpoint; empty: Amazon's of the region
  std::string region;    // --s3-region
};

// Of the process's environment; empty where it is not there.
using Environment = std::function<std::string(const char* name)>;
std::string variable_of_process(const char* name);

// Credentials and the CA come from the variables that programs for S3 share: AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CA_BUNDLE. INVALID_ARGUMENT naming the flag,
// FAILED_PRECONDITION naming the variable.
Result<Options> read_options(const Flags& flags,
                             const Environment& environment = variable_of_process);

}  // namespace prefixmem::store::s3
