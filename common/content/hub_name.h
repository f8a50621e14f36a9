// How a model of the Hugging Face Hub is named: hf://ORG/NAME@REVISION. The coordinator has no
// other part in the Hub than these names.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kHubScheme = "hf://";

struct HubName {
  std::string repository;         // ORG/NAME
  std::string revision = "main";  // a branch, a tag or a commit

  std::string text() const { return std::string(kHubScheme) + repository + "@" + revision; }
  std::string organisation() const { return repository.substr(0, repository.find('/')); }
  std::string name() const { return repository.substr(repository.find('/') + 1); }
  bool is_commit() const;
};

// Whether `text` is meant as one.
bool names_hub(std::string_view text);
// INVALID_ARGUMENT with the text and what is allowed.
Result<HubName> parse_hub_name(std::string_view text);
// 40 hexadecimal digits, as git names a commit.
bool is_commit_name(std::string_view text);
// Likewise, of a name whose revision can mean nothing else tomorrow: a commit.
Result<HubName> parse_pinned_hub_name(std::string_view text);

}  // namespace prefixmem
