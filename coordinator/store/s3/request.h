// One request to S3 and what it answers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace prefixmem::store::s3 {

// A part of an open file; where `fd` is -1, none.
struct FilePart {
  int fd = -1;
  int64_t offset = 0;
  int64_t bytes = 0;
};

struct Request {
  const char* method = "GET";
  std::string key = {};  // below the bucket; empty: the bucket itself
  std::map<std::string, std::string> query = {};
  std::string body = {};          // of a POST or a PUT
  FilePart file = {};             // of a PUT: sent in the place of a body
  std::string sha256 = {};        // of the file's part
  std::string range = {};         // "0-99"
  size_t most = size_t{8} << 20;  // bytes of its answer
};

struct Answer {
  long status = 0;
  std::string body;
  std::string etag;
  int64_t bytes = 0;  // by Content-Length
};

// Everything but A–Z a–z 0–9 - _ . ~ as %XX, and '/' too unless it is kept.
std::string percent_encoded(std::string_view text, bool keep_slashes);

// "/BUCKET/KEY?a=b&c=": as it is signed, so names stand in order and each has a '='.
std::string target_of(const std::string& bucket, const Request& request);

}  // namespace prefixmem::store::s3
