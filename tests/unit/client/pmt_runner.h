// Whole commands of pmt in this process, against a FakeService.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "client/session.h"
#include "common/clock.h"
#include "tests/unit/client/fake_service.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::client {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
  std::vector<nlohmann::json> json_lines() const;
};

// The world that a command runs in: a server, an empty working folder, a clock that stands still.
class Pmt {
 public:
  // Adds --server of the fake.
  Outcome run(std::vector<std::string> arguments);
  // As typed.
  Outcome run_as_is(const std::vector<std::string>& arguments);

  // Writes a file in the working folder.
  void write(const std::string& name, const std::string& text) const;
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  // Names of all files and folders below the working folder, sorted.
  std::vector<std::string> tree() const;

  FakeService service;
  Hub hub;
  std::string in;
  std::string token;
  std::optional<TerminalSize> terminal;
  FeedOptions feed{.backoff = {Millis(1), Millis(5), 2, 0}};

 private:
  const TempFolder folder_;
  const FakeClock clock_;
};

}  // namespace prefixmem::client
