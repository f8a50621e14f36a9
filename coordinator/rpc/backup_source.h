// A backup, piece by piece, for a stream.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/sha256.h"
#include "coordinator/rpc/context.h"
#include "coordinator/rpc/pull_stream.h"
#include "coordinator/store/snapshot.h"
#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem::rpc {

// Each message costs a few MiB of copying or one of reading, so the thread that pulls is soon free
// for others.
class BackupSource final : public Source<v1::BackUpResponse> {
 public:
  // INVALID_ARGUMENT for a digest that is none.
  static Result<std::unique_ptr<Source<v1::BackUpResponse>>> begin(
      const ServiceContext& context, const v1::BackUpRequest& request);

  Result<Pulled<v1::BackUpResponse>> pull() override;

 private:
  using Part = Result<v1::BackUpResponse>;
  enum class Stage { kCopy, kDatabase, kFiles, kDone };

  BackupSource(store::Blobs& blobs, std::unique_ptr<store::Snapshot> snapshot,
               std::set<std::string> known)
      : blobs_(blobs), snapshot_(std::move(snapshot)), known_(std::move(known)) {}

  Part copy();
  Part database();
  Part next_file();
  Part begin_file(const std::string& sha256);
  Part end();
  // The next of what is open; none at its end.
  Result<std::optional<v1::BackUpResponse>> chunk();

  store::Blobs& blobs_;
  const std::unique_ptr<store::Snapshot> snapshot_;
  const std::set<std::string> known_;  // sha256 that the caller has
  v1::BackUpDatabase header_;

  Stage stage_ = Stage::kCopy;
  std::unique_ptr<store::BlobReader> open_;  // what is being sent
  std::deque<std::string> files_;            // still to come
  Sha256 digest_;                            // of the database
  v1::BackUpEnd end_;
};

}  // namespace prefixmem::rpc
