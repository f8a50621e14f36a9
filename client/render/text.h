// Text measured in columns of a terminal. Every character counts as one column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prefixmem::client {

// Columns of UTF-8 text.
size_t columns_of(std::string_view text);

enum class Align { kLeft, kRight };

// At least `columns` wide: spaces after (left) or before (right).
std::string padded(std::string_view text, size_t columns, Align align);

// At most `columns` wide: longer text ends in "…".
std::string cut(std::string_view text, size_t columns);

// What a server sends must not steer a terminal: control characters become spaces, and spaces at
// the end go. Line breaks stay where `multiline` is set.
std::string printable(std::string_view text, bool multiline = false);

}  // namespace prefixmem::client
