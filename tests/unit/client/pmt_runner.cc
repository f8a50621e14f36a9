#include "tests/unit/client/pmt_runner.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "client/app.h"

namespace prefixmem::client {

std::vector<nlohmann::json> Outcome::json_lines() const {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

Outcome Pmt::run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--server", service.address()});
  return run_as_is(arguments);
}

Outcome Pmt::run_as_is(const std::vector<std::string>& arguments) {
  std::istringstream input(in);
  std::ostringstream out;
  std::ostringstream err;
  Environment environment{input,
                          out,
                          err,
                          [this] { return terminal; },
                          clock_,
                          folder_.path(),
                          feed,
                          {},
                          folder_.path() / "cache",
                          token,
                          hub};
  std::vector<const char*> argv = {"pmt"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const int code = run_pmt(static_cast<int>(argv.size()), argv.data(), environment);
  return {code, out.str(), err.str()};
}

void Pmt::write(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories(path(name).parent_path());
  std::ofstream(path(name)) << text;
}

std::vector<std::string> Pmt::tree() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    names.push_back(entry.path().lexically_relative(folder_.path()).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace prefixmem::client
