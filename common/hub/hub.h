// Models of the Hugging Face Hub, or of what answers as it does, to this host.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "common/backoff.h"
#include "common/content/hub_name.h"
#include "common/hub/revision.h"
#include "common/status.h"

namespace prefixmem {

struct Hub {
  std::string endpoint = "https://huggingface.co";
  std::string token = {};     // an account's; empty: none
  BackoffPolicy pauses = {};  // between tries
  std::stop_token stop = {};  // CANCELLED once it is raised
};

// As huggingface_hub reads them: HF_ENDPOINT, and HF_TOKEN or the token that `hf auth login` has
// kept (HF_TOKEN_PATH, HF_HOME).
Hub hub_of_environment();

// Whom an operator allows, with HF_TOKEN alone. INVALID_ARGUMENT.
Result<Hub> hub_of_operator(const std::string& url);

// Of all functions here: NOT_FOUND where the Hub has no such revision or file, FAILED_PRECONDITION
// where it wants a token, DATA_LOSS for what is not what it names, UNAVAILABLE after some tries,
// RESOURCE_EXHAUSTED where the disk is full. Callers name the model.

Result<HubRevision> find_revision(const Hub& hub, const HubName& name);

// One of the revision's files, in memory. RESOURCE_EXHAUSTED above `most` bytes.
Result<std::string> read_hub_file(const Hub& hub, const HubName& name, const HubRevision& revision,
                                  const std::string& path, int64_t most);

struct HubFetch {
  std::filesystem::path folder;  // where files are kept, by organisation and commit
  // Told the bytes of all files before any is fetched; its failure ends the call.
  std::function<Status(int64_t bytes)> admit = [](int64_t) { return Status(); };
  // Told of each file before it is fetched.
  std::function<void(const HubFile& file)> note = [](const HubFile&) {};
  // Told with each piece how much of a file is there.
  std::function<void(const HubFile& file, int64_t bytes)> came = [](const HubFile&, int64_t) {};
};

// A folder of the model's name that holds the revision's files, each whole and with the digest that
// the Hub names, and nothing else. What is there is not fetched again, and a file that broke off is
// gone on with, by a later call too. FAILED_PRECONDITION too where they are no model.
Result<std::filesystem::path> fetch_model(const Hub& hub, const HubName& name,
                                          const HubFetch& fetch);

}  // namespace prefixmem
