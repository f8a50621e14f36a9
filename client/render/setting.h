// What a sweep has set, as the tables and lines of its results show it.
#pragma once

#include <google/protobuf/map.h>

#include <set>
#include <string>

namespace prefixmem::client {

// Value by dotted path.
using Setting = google::protobuf::Map<std::string, std::string>;

void add_paths(const Setting& setting, std::set<std::string>& paths);
// Empty where the setting has no such path.
std::string value_at(const Setting& setting, const std::string& path);
// "method lora, method.r 8", in the order of paths.
std::string setting_text(const Setting& setting);

}  // namespace prefixmem::client
