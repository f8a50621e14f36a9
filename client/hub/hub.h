// Models of the Hugging Face Hub, or of what answers as it does, to this host.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "client/hub/hub_name.h"
#include "common/backoff.h"
#include "common/status.h"

namespace prefixmem::client {

struct Hub {
  std::string endpoint = "https://huggingface.co";
  std::string token = {};        // an account's; empty: none
  std::filesystem::path folder;  // where files are kept, by repository and commit
  BackoffPolicy pauses = {};     // between tries
};

// As huggingface_hub reads them: HF_ENDPOINT, HF_TOKEN, and the token that `hf auth login` has kept
// (HF_TOKEN_PATH, HF_HOME).
Hub hub_of_environment(const std::filesystem::path& cache_folder);

// A folder that holds the revision's files, each whole and with the digest that the Hub names. What
// is there is not fetched again, and a file that broke off is gone on with, by a later call too.
// `note` is given a sentence on each file before it is fetched. NOT_FOUND where the Hub has no such
// revision, FAILED_PRECONDITION where it wants a token, DATA_LOSS for other bytes, UNAVAILABLE,
// RESOURCE_EXHAUSTED where the disk is full; each names the model.
Result<std::filesystem::path> fetch_model(const Hub& hub, const HubName& name,
                                          const std::function<void(const std::string&)>& note);

}  // namespace prefixmem::client
