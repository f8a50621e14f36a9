#include "client/session.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "client/render/text.h"

namespace prefixmem::client {
namespace {

std::optional<TerminalSize> terminal_of_stdout() {
  if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return TerminalSize{};
  }
  return TerminalSize{size.ws_col, size.ws_row};
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
          {}};
}

Result<Server*> Session::server() {
  if (!server_) {
    const auto timeout = Millis(static_cast<int64_t>(timeout_seconds * 1000));
    PM_ASSIGN(server_, Server::at(address, timeout));
  }
  return &*server_;
}

Status Session::print(const std::string& text) {
  env.out << text << std::flush;
  return env.out.good() ? Status() : failed_precondition("standard output cannot be written");
}

void Session::note(const std::string& sentence) {
  env.err << "pmt: " << printable(sentence) << std::endl;
}

}  // namespace prefixmem::client
