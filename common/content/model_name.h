// How a spec names a model that the coordinator keeps: models://NAME.
#pragma once

#include <string>
#include <string_view>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kModelScheme = "models://";

// Whether `text` is meant as one.
bool names_model(std::string_view text);
// The same as of a root (root_name.h).
Status check_model_name(std::string_view name);
// The name in a text with the scheme. INVALID_ARGUMENT with the text and what is allowed.
Result<std::string> parse_model_name(std::string_view text);

// Whether content can be a model, of a folder by its files: config.json with weights as
// safetensors, or one GGUF file. INVALID_ARGUMENT with what is missing.
Status check_model_file(const ContentName& content);
Status check_model_folder(const ContentName& content, const FolderList& files);

}  // namespace prefixmem
