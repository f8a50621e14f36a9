// What the Hub says of a revision of a model: its commit and its files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/content/hub_name.h"
#include "common/status.h"

namespace prefixmem {

struct HubFile {
  std::string path;
  int64_t bytes = 0;
  std::string sha256;  // of a large file; empty: `blob` is there
  std::string blob;    // git's name of a small one: the SHA-1 of "blob BYTES\0" and its bytes
};

struct HubRevision {
  std::string commit;
  std::vector<HubFile> files;  // those that a model needs, by path
};

// From the answer to GET /api/models/ORG/NAME/revision/REVISION?blobs=true. Of all files those that
// training reads: configuration, tokenizer and chat template, weights as safetensors or, where
// there are none, GGUF files; and the licence. DATA_LOSS where it is no such answer.
Result<HubRevision> parse_revision(std::string_view json);

// What check_model_folder says; FAILED_PRECONDITION too where of several GGUF files any could be
// meant.
Status check_hub_files(const HubName& name, const HubRevision& revision);

}  // namespace prefixmem
