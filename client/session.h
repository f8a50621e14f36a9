// What a command works with: streams, terminal, clock and the coordinator.
#pragma once

#include <google/protobuf/message.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "client/channel/event_feed.h"
#include "client/channel/server.h"
#include "common/clock.h"
#include "common/hub/hub.h"
#include "common/status.h"

namespace prefixmem::client {

struct TerminalSize {
  size_t columns = 80;
  size_t rows = 24;
};

// The outside world, injected. Constant while a command runs.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  // Size of the terminal behind `out`; none: `out` is a file or a pipe.
  std::function<std::optional<TerminalSize>()> terminal;
  const Clock& clock;
  std::filesystem::path working_folder;
  FeedOptions feed;
  std::filesystem::path shipped_registry;  // of benchmarks; empty: none
  std::filesystem::path cache_folder;      // where this user's files may be kept
  std::string token = {};                  // that this user shows to coordinators; empty: none
  Hub hub = {};                            // where models are fetched from
};

// The environment of this process.
Environment process_environment();

// How results are written; not every command knows every form.
enum class Form { kTable, kJson, kMarkdown, kCsv };

// One run of pmt.
class Session {
 public:
  explicit Session(Environment& environment) : env(environment) {}

  // Dials on first use.
  Result<Server*> server();

  // Flushes; FAILED_PRECONDITION where the output cannot be written (a closed pipe, a full disk).
  Status print(const std::string& text);
  Status print_json(const google::protobuf::Message& message);
  // A sentence for people on stderr: "pmt: …".
  void note(const std::string& sentence);

  Environment& env;
  // Options of every command, set by the command line.
  std::string address = "127.0.0.1:7070";
  tls::ClientFiles tls;
  std::string token_file;  // empty: the token of the environment, where there is one
  double timeout_seconds = 30;
  Form form = Form::kTable;
  bool json() const { return form == Form::kJson; }

 private:
  Result<std::string> token() const;

  std::optional<Server> server_;
};

}  // namespace prefixmem::client
