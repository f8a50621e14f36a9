#include "client/session.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <iostream>

#include "client/render/json.h"
#include "client/render/text.h"
#include "common/files.h"

namespace prefixmem::client {
namespace {

constexpr int64_t kLongestToken = 4096;  // bytes

std::optional<TerminalSize> terminal_of_stdout() {
  if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return TerminalSize{};
  }
  return TerminalSize{size.ws_col, size.ws_row};
}

// Beside the program: PREFIX/bin/pmt and PREFIX/share/prefixmem/benchmarks.
std::filesystem::path shipped_registry() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto folder = program.parent_path().parent_path() / "share/prefixmem/benchmarks";
  return std::filesystem::is_directory(folder, error) ? folder : std::filesystem::path();
}

std::string token_of_environment() {
  const char* token = std::getenv("PREFIXMEM_TOKEN");
  return token == nullptr ? "" : token;
}

// By the XDG Base Directory Specification.
std::filesystem::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::filesystem::path(cache) / "prefixmem";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/tmp" : home) / ".cache/prefixmem";
}

}  // namespace

Environment process_environment() {
  std::error_code gone;  // a removed working folder matters only to relative paths
  return {std::cin,
          std::cout,
          std::cerr,
          terminal_of_stdout,
          real_clock(),
          std::filesystem::current_path(gone),
          {},
          shipped_registry(),
          cache_folder(),
          token_of_environment(),
          hub_of_environment()};
}

Result<std::string> Session::token() const {
  if (token_file.empty()) return env.token;
  auto text = read_file(token_file, kLongestToken);
  if (!text.ok()) return text.status().with_context("--token-file");
  while (!text->empty() && std::isspace(static_cast<unsigned char>(text->back())) != 0) {
    text->pop_back();
  }
  if (!text->empty()) return text;
  return invalid_argument("--token-file " + token_file + " is empty; allowed: a token");
}

Result<Server*> Session::server() {
  if (!server_) {
    const auto timeout = Millis(static_cast<int64_t>(timeout_seconds * 1000));
    PM_ASSIGN(const std::string secret, token());
    PM_ASSIGN(server_, Server::at(address, timeout, {tls, secret}));
  }
  return &*server_;
}

Status Session::print(const std::string& text) {
  env.out << text << std::flush;
  return env.out.good() ? Status() : failed_precondition("standard output cannot be written");
}

Status Session::print_json(const google::protobuf::Message& message) {
  PM_ASSIGN(const std::string text, json_document(message));
  return print(text);
}

void Session::note(const std::string& sentence) {
  env.err << "pmt: " << printable(sentence) << std::endl;
}

}  // namespace prefixmem::client
