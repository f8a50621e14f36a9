#include "tests/unit/coordinator/s3_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <unistd.h>

#include <array>

#include "common/clock.h"
#include "common/id.h"

namespace prefixmem::store::s3 {

// It ends when its standard input does: with this program.
S3Server::S3Server() {
  std::array<int, 2> in{}, out{};
  EXPECT_EQ(pipe2(in.data(), O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::string program = S3_SERVER, bucket = kBucket, access = kAccessKey, secret = kSecretKey;
  std::array<char*, 5> words = {program.data(), bucket.data(), access.data(), secret.data(),
                                nullptr};
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, S3_SERVER, &actions, nullptr, words.data(), environ), 0)
      << S3_SERVER << " is built by scripts/setup.sh";
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  char c = 0;
  while (read(out[0], &c, 1) == 1 && c != '\n') endpoint_ += c;
  close(out[0]);
  EXPECT_TRUE(endpoint_.starts_with("http://")) << endpoint_;
}

S3Server& S3Server::shared() {
  static S3Server server;
  return server;
}

Options S3Server::fresh_options() const {
  Options options;
  options.bucket = kBucket;
  options.prefix = "team/" + new_id("test") + "/";
  options.endpoint = endpoint_;
  options.credentials = {kAccessKey, kSecretKey, ""};
  options.pauses = {.first = Millis(1), .longest = Millis(5)};
  return options;
}

}  // namespace prefixmem::store::s3
