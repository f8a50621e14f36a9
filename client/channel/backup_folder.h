// A backup of the coordinator as a folder:
//
//   backup.json            which database, of which moment; written last: with it the rest counts
//   coordinator-<12 digits of its sha256>.db
//   blobs/<first two digits>/<sha256>
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "common/fd.h"
#include "common/sha256.h"
#include "common/status.h"
#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem::client {

// Takes the messages of one backup. Until it is complete an earlier backup in the folder counts.
class BackupFolder {
 public:
  // Made where missing. FAILED_PRECONDITION for the data folder of a coordinator.
  static Result<BackupFolder> open(const std::filesystem::path& folder);

  // What the coordinator need not send again.
  v1::BackUpRequest request() const;
  // DATA_LOSS where bytes are not those announced.
  Status take(const v1::BackUpResponse& message);
  // To be called when the stream has ended well. DATA_LOSS where it did not bring all. Removes what
  // only an earlier backup needed.
  Status complete();

  int64_t files() const { return end_.files(); }
  int64_t bytes() const { return end_.file_bytes() + database_.bytes(); }  // of all of it
  int64_t received() const { return received_; }                           // bytes

 private:
  explicit BackupFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Status begin_file(const v1::BackUpFile& file);
  Status create(const std::string& sha256, int64_t bytes);
  Status write(const std::string& chunk);
  Status finish_file();  // what is open, where something is
  Status publish(const std::string& digest);
  Status write_manifest() const;
  Status remove_others() const;

  std::filesystem::path folder_;
  std::set<std::string> known_;  // blobs that were there before
  std::set<std::string> seen_;   // blobs of this backup

  Fd open_;  // of the file that is being received
  std::filesystem::path temporary_;
  std::string expected_;  // its sha256; empty: the database, whose comes at the end
  int64_t left_ = 0;      // bytes of it
  Sha256 digest_;

  v1::BackUpDatabase database_;
  std::string database_digest_;
  v1::BackUpEnd end_;
  bool ended_ = false;
  int64_t received_ = 0;
};

}  // namespace prefixmem::client
