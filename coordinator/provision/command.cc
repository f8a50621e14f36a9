#include "coordinator/provision/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>

#include "common/fd.h"
#include "common/spec/utf8.h"

extern char** environ;

namespace prefixmem::provision {
namespace {

constexpr size_t kMostOutput = size_t{16} << 20;
constexpr size_t kShownOfErrors = 400;

bool is_handed_on(std::string_view variable) {
  constexpr std::array kNames = {
      "HOME=", "LANG=", "LOGNAME=", "PATH=", "TZ=", "USER=", "SLURM_", "LC_", "LD_LIBRARY_PATH="};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return variable.starts_with(name); });
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> open_pipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return from_errno("opening a pipe", errno);
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return from_errno("setting a pipe", errno);
  return pipe;
}

// Reads what there is; false once the other end is closed, or it says too much.
bool read_some(const Fd& from, std::string& text) {
  std::array<char, size_t{1} << 14> block;
  while (text.size() < kMostOutput) {
    const ssize_t count = read(from.get(), block.data(), block.size());
    if (count > 0) {
      text.append(block.data(), static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return count < 0 && errno == EAGAIN;
    }
  }
  return false;
}

// As one sentence of an error.
std::string said(const std::string& errors) {
  std::string text = errors;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
    text.replace(at, 1, "; ");
  }
  return text.empty() ? "it said nothing" : spec::shortened(text, kShownOfErrors);
}

class Child {
 public:
  static Result<Child> start(const std::vector<std::string>& argv) {
    PM_ASSIGN(Pipe output, open_pipe());
    PM_ASSIGN(Pipe errors, open_pipe());
    std::vector<std::string> held = argv;
    std::vector<char*> words, variables;
    for (std::string& word : held) words.push_back(word.data());
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (is_handed_on(*entry)) variables.push_back(*entry);
    }
    words.push_back(nullptr);
    variables.push_back(nullptr);
    pid_t pid = 0;
    const int failed = spawn(pid, words, variables, output.write.get(), errors.write.get());
    if (failed != 0) return from_errno("starting " + argv.front(), failed);
    Child child(argv.front(), pid);
    child.output_ = std::move(output.read);
    child.errors_ = std::move(errors.read);
    child.alive_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U)));
    if (!child.alive_.valid()) return from_errno("watching " + argv.front(), errno);
    return child;
  }

  Child(Child&& other) noexcept
      : name_(std::move(other.name_)),
        pid_(std::exchange(other.pid_, 0)),
        alive_(std::move(other.alive_)),
        output_(std::move(other.output_)),
        errors_(std::move(other.errors_)) {}
  ~Child() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    collect();
  }

  Result<std::string> answer(Millis limit, int stop) {
    const MonotonicTime deadline = real_clock().monotonic() + limit;
    std::string output, errors;
    std::array<pollfd, 4> polled = {{{alive_.get(), POLLIN, 0},
                                     {stop, POLLIN, 0},
                                     {output_.get(), POLLIN, 0},
                                     {errors_.get(), POLLIN, 0}}};
    while (polled[0].revents == 0) {
      const Millis left = deadline - real_clock().monotonic();
      if (left <= Millis(0)) {
        return unavailable(
            fmt::format("{} has not ended within {:.0f} s", name_, to_seconds(limit)));
      }
      if (poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0) continue;
      if (polled[1].revents != 0) return unavailable(name_ + " was not waited for");
      if (!read_some(output_, output)) polled[2].fd = -1;
      if (!read_some(errors_, errors)) polled[3].fd = -1;
    }
    read_some(output_, output);
    read_some(errors_, errors);
    const int status = collect();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
    const std::string how = WIFEXITED(status) ? fmt::format("code {}", WEXITSTATUS(status))
                                              : fmt::format("signal {}", WTERMSIG(status));
    return unavailable(fmt::format("{} ended with {}: {}", name_, how, said(errors)));
  }

 private:
  Child(std::string name, pid_t pid) : name_(std::move(name)), pid_(pid) {}

  static int spawn(pid_t& pid, const std::vector<char*>& words, const std::vector<char*>& variables,
                   int output, int errors) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
    // This process holds signals back, which a child would inherit.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int failed =
        posix_spawnp(&pid, words.front(), &files, &attributes, words.data(), variables.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
  }

  int collect() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

  std::string name_;
  pid_t pid_;  // 0: collected
  Fd alive_;   // a pidfd
  Fd output_, errors_;
};

}  // namespace

Result<std::string> run_command(const std::vector<std::string>& argv, Millis limit,
                                const std::stop_token& stop) {
  if (stop.stop_requested()) return unavailable(argv.front() + " was not started");
  const Fd stopped(eventfd(0, EFD_CLOEXEC));
  if (!stopped.valid()) return from_errno("making an event", errno);
  const std::stop_callback wake(stop, [&] { eventfd_write(stopped.get(), 1); });
  PM_ASSIGN(Child child, Child::start(argv));
  return child.answer(limit, stopped.get());
}

}  // namespace prefixmem::provision
