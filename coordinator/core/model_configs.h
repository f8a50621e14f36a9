// What models are made of: those that the coordinator keeps, and those that clients tell it of.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/model/config.h"
#include "common/thread_annotations.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/reader.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem {

struct ToldModel {
  v1::ModelConfig sent;
  ModelConfig config;  // what that says
};

// By the names that specs have for them.
using ToldModels = std::map<std::string, std::shared_ptr<const ToldModel>>;

// Without those of a family that is not known. INVALID_ARGUMENT where there are too many or one is
// too long.
Result<ToldModels> told_models(const google::protobuf::RepeatedPtrField<v1::ModelConfig>& configs);

// Thread-safe; may read from a store on another host. Reads each model once, or a few times at
// once.
class ModelConfigs {
 public:
  // Both outlive it.
  ModelConfigs(store::Reader& reader, const store::Blobs& blobs) : reader_(reader), blobs_(blobs) {}

  // Of a folder content://…; null for whatever else a spec may name, which workers alone can read,
  // and where there is no config.json of a family that is known.
  std::shared_ptr<const ModelConfig> of(const std::string& model);
  // The same without reading: null where it has not been read yet.
  std::shared_ptr<const ModelConfig> known(const std::string& model);

 private:
  store::Reader& reader_;
  const store::Blobs& blobs_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const ModelConfig>> known_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem
