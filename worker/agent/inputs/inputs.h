// The files that a spec names, on this host.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "common/backoff.h"
#include "common/hub/hub.h"
#include "common/status.h"
#include "worker/agent/inputs/content_cache.h"
#include "worker/agent/inputs/hub_allowance.h"
#include "worker/agent/inputs/roots.h"
#include "worker/agent/transfer/content_source.h"

namespace prefixmem::agent {

// What a spec names is there as long as this lives.
struct LocalInputs {
  // A failure in words of whoever wrote the spec: the spec's own names in the place of this host's
  // paths, of content the NAME alone.
  Status in_words_of_spec(const Status& failure) const;

  std::string spec_yaml;  // with paths of this host
  std::vector<ContentLease> leases;
  std::vector<std::pair<std::string, std::string>> names;  // such a path, and what it is then
};

struct InputOptions {
  Roots roots = {};                       // with some, plain paths are refused
  std::optional<Hub> hub = std::nullopt;  // none: no model of the Hub is fetched here
  HubAllowance allowed = {};              // of it
  BackoffPolicy backoff = {};             // while the coordinator is away
};

// Thread-safe. `cache` and `source` outlive it.
class Inputs {
 public:
  Inputs(ContentCache& cache, ContentSource& source, InputOptions options = {})
      : cache_(cache), source_(source), options_(std::move(options)) {}

  // Fetches what is not here. INVALID_ARGUMENT for a spec that names what no worker can have or
  // this one does not give; what ContentCache::get and Roots::resolve say, with the key.
  Result<LocalInputs> localize(const std::string& spec_yaml, const std::stop_token& stop) const;
  // Whether localize() would have nothing to fetch now.
  bool at_hand(const std::string& spec_yaml) const;

 private:
  // Where it lies; what must be kept for that goes to `leases`.
  Result<std::filesystem::path> find(const std::string& named, const std::stop_token& stop,
                                     std::vector<ContentLease>& leases) const;

  // Of what is not of this host's own; null: `named` is something else.
  Result<std::unique_ptr<Origin>> origin_of(const std::string& named) const;

  ContentCache& cache_;
  ContentSource& source_;
  const InputOptions options_;
};

}  // namespace prefixmem::agent
