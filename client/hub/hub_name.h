// How a model of the Hugging Face Hub is named: hf://ORG/NAME@REVISION.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem::client {

inline constexpr std::string_view kHubScheme = "hf://";

struct HubName {
  std::string repository;         // ORG/NAME
  std::string revision = "main";  // a branch, a tag or a commit

  std::string text() const { return std::string(kHubScheme) + repository + "@" + revision; }
  std::string organisation() const { return repository.substr(0, repository.find('/')); }
  std::string name() const { return repository.substr(repository.find('/') + 1); }
};

// Whether `text` is meant as one.
bool names_hub(std::string_view text);
// INVALID_ARGUMENT with the text and what is allowed.
Result<HubName> parse_hub_name(std::string_view text);

}  // namespace prefixmem::client
