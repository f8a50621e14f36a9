// What a store of blobs asks of a bucket.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "common/status.h"
#include "coordinator/store/s3/transport.h"

namespace prefixmem::store::s3 {

// Thread-safe. Fails as Transport::send does.
class Client {
 public:
  explicit Client(Options options) : transport_(std::move(options)) {}

  const Options& options() const { return transport_.options(); }

  // The whole of a small object, at most 1 MiB.
  Result<std::string> get(const std::string& key);
  // A part of one, which has to have so many bytes there: DATA_LOSS.
  Result<std::string> get(const std::string& key, int64_t offset, int64_t bytes);
  Result<int64_t> size(const std::string& key);

  Status put(const std::string& key, const std::string& body);
  // A file of that content; above Options::part_bytes in parts.
  Status put_file(const std::string& key, int fd, int64_t bytes, const std::string& sha256);
  // Fine where it is not there.
  Status remove(const std::string& key);

  // Sizes, by key, of what lies below a prefix.
  Result<std::map<std::string, int64_t>> list(const std::string& prefix);
  // Drops what unfinished uploads in parts have left below a prefix; how many.
  Result<int> abort_uploads(const std::string& prefix);

  // See Transport.
  void stop() { transport_.stop(); }

 private:
  Status put_parts(const std::string& key, int fd, int64_t bytes);
  Result<std::string> send_parts(const std::string& key, const std::string& upload, int fd,
                                 int64_t bytes);
  Status complete(const std::string& key, const std::string& upload, const std::string& parts,
                  int64_t bytes);
  Status abort(const std::string& key, const std::string& upload);

  Transport transport_;
};

}  // namespace prefixmem::store::s3
