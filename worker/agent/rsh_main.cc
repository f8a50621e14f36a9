// pmt-rsh SOCKET HOST WORD...: what mpirun takes for a remote shell. Asks the agent at SOCKET to
// have WORD... run on HOST, one of its gang's, and waits for the end of that.
//
// Says {"host": HOST, "words": [WORD, …]}, hears {"exit": CODE, "message": TEXT}, a line each.
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/files.h"
#include "common/status.h"
#include "common/unix_socket.h"

namespace prefixmem::agent {
namespace {

// Until the agent closes.
Result<std::string> read_answer(int socket) {
  std::string answer;
  char block[4096];
  while (true) {
    const ssize_t count = recv(socket, block, sizeof block, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno("waiting for the agent", errno);
    if (count == 0) return answer;
    answer.append(block, static_cast<size_t>(count));
  }
}

Result<int> run(const std::vector<std::string>& words) {
  if (words.size() < 3) return invalid_argument("usage: pmt-rsh SOCKET HOST WORD...");
  PM_ASSIGN(const Fd socket, connect_unix(words[0]));
  const nlohmann::json request = {
      {"host", words[1]}, {"words", std::vector<std::string>(words.begin() + 2, words.end())}};
  PM_TRY(write_all(socket.get(), request.dump() + "\n", "the agent's socket"));
  PM_ASSIGN(const std::string text, read_answer(socket.get()));
  const auto answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object()) return unavailable("the agent closed without an answer");
  const std::string message = answer.value("message", "");
  if (!message.empty()) std::fprintf(stderr, "pmt-rsh: %s\n", message.c_str());
  return answer.value("exit", exit_code(unavailable("")));
}

}  // namespace
}  // namespace prefixmem::agent

int main(int argc, char** argv) {
  const auto code = prefixmem::agent::run({argv + 1, argv + argc});
  if (code.ok()) return *code;
  std::fprintf(stderr, "pmt-rsh: %s\n", code.status().message().c_str());
  return prefixmem::exit_code(code.status());
}
