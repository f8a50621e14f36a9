// Files to and from the coordinator's store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/transfer/channel_source.h"

namespace prefixmem::agent {

// Thread-safe. Both calls try once; a raised `stop` ends them early with CANCELLED.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;

  // Sends artifact.path of `folder` (its bytes and sha256 are filled in here); of a file that grows
  // meanwhile, what was there at the beginning. NOT_FOUND where the file is gone, INVALID_ARGUMENT
  // where it is not below the folder, FAILED_PRECONDITION where the attempt is not the job's
  // current one, UNAVAILABLE where another try may succeed.
  virtual Status upload(const AttemptKey& key, Artifact artifact,
                        const std::filesystem::path& folder, std::stop_token stop) = 0;
  // Writes the stored file to `file`, whole and checked against artifact.sha256 (DATA_LOSS) or not
  // at all. Its folder must exist.
  virtual Status fetch(const std::string& job_id, const Artifact& artifact,
                       const std::filesystem::path& file, std::stop_token stop) = 0;
};

// Over WorkerService, in chunks of at most 1 MiB.
std::unique_ptr<ArtifactStore> make_grpc_artifact_store(ChannelSource channel);

}  // namespace prefixmem::agent
