// The little XML that S3 answers with: elements without attributes that matter. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prefixmem::store::s3 {

// What is in each element of that name, as it stands.
std::vector<std::string_view> elements(std::string_view xml, std::string_view name);

// The text of the first such element; empty where there is none.
std::string text_of(std::string_view xml, std::string_view name);

}  // namespace prefixmem::store::s3
