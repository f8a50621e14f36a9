// Lines of comma-separated values, RFC 4180 but for the line break, which is \n.
#pragma once

#include <string>
#include <vector>

namespace prefixmem::client {

std::string csv_line(const std::vector<std::string>& cells);
// A number in full; empty where it is not there.
std::string csv_number(bool there, double value);

}  // namespace prefixmem::client
