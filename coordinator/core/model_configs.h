// What the models that the coordinator keeps are made of.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/model/config.h"
#include "common/thread_annotations.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/reader.h"

namespace prefixmem {

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
