// The S3 server of the tests (tests/s3), one for all tests of a program.
#pragma once

#include <string>

#include "coordinator/store/s3/options.h"

namespace prefixmem::store::s3 {

class S3Server {
 public:
  static constexpr const char* kBucket = "bucket";
  static constexpr const char* kAccessKey = "tester";
  static constexpr const char* kSecretKey = "a secret of the tests";

  // Started by the first call; ends with the program.
  static S3Server& shared();

  const std::string& endpoint() const { return endpoint_; }
  // Of a prefix that no other call has given.
  Options fresh_options() const;

 private:
  S3Server();

  std::string endpoint_;
};

}  // namespace prefixmem::store::s3
