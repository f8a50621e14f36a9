#include "client/commands/tool.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

extern char** environ;

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

Result<int> wait_for(pid_t child, const std::string& name) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return from_errno("waiting for " + name, errno);
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return internal_error(name + " was ended by signal " + std::to_string(WTERMSIG(status)));
}

}  // namespace

Result<int> run_tool(const Tool& tool, const std::vector<std::string>& arguments) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / tool.name;
  if (!fs::exists(program)) {
    return not_found(program.string() + " does not exist; it is installed with " + tool.comes_with);
  }
  std::string name = program;
  std::vector<std::string> held = arguments;
  std::vector<char*> argv = {name.data()};
  for (std::string& argument : held) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawn(&child, name.c_str(), nullptr, nullptr, argv.data(), environ);
  if (failed != 0) return from_errno("starting " + name, failed);
  return wait_for(child, tool.name);
}

}  // namespace prefixmem::client
