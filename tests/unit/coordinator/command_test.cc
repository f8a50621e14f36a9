// Programs that are asked something.
#include "coordinator/provision/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem::provision {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Millis kLong{60'000};

std::string failure(const std::vector<std::string>& argv, Millis limit = kLong,
                    const std::stop_token& stop = {}) {
  return run_command(argv, limit, stop).status().to_string();
}

TEST(Command, AnswersWithItsOutput) {
  EXPECT_EQ(*run_command({"echo", "a b", "$HOME;"}, kLong, {}), "a b $HOME;\n");
  EXPECT_EQ(run_command({"seq", "100000"}, kLong, {})->size(), 588895u) << "more than a pipe holds";
  EXPECT_EQ(*run_command({"sh", "-c", "echo out; echo warning >&2"}, kLong, {}), "out\n");
  EXPECT_EQ(*run_command({"cat"}, kLong, {}), "") << "there is nothing to read";
}

TEST(Command, FailsWithWhatItSaid) {
  EXPECT_EQ(failure({"sh", "-c", "echo one >&2; echo two >&2; exit 3"}),
            "UNAVAILABLE: sh ended with code 3: one; two");
  EXPECT_EQ(failure({"sh", "-c", "kill -9 $$"}),
            "UNAVAILABLE: sh ended with signal 9: it said nothing");
  EXPECT_EQ(failure({"no-such-program"}),
            "NOT_FOUND: starting no-such-program: No such file or directory");
}

TEST(Command, IsNotWaitedForLongerThanItsLimit) {
  EXPECT_EQ(failure({"sleep", "600"}, Millis(50)), "UNAVAILABLE: sleep has not ended within 0 s");
}

TEST(Command, IsNotWaitedForWhenTheServiceEnds) {
  const TempFolder folder;
  const std::filesystem::path begun = folder.path() / "begun";
  ASSERT_EQ(mkfifo(begun.c_str(), 0600), 0);
  std::stop_source stop;
  std::jthread once_it_runs([&] {
    std::ifstream(begun).get();
    stop.request_stop();
  });
  EXPECT_EQ(failure({"sh", "-c", "echo > \"$0\"; exec sleep 600", begun}, kLong, stop.get_token()),
            "UNAVAILABLE: sh was not waited for");
  EXPECT_EQ(failure({"sleep", "600"}, kLong, stop.get_token()),
            "UNAVAILABLE: sleep was not started");
}

TEST(Command, IsGivenNoSecrets) {
  setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  setenv("SLURM_CONF", "/etc/elsewhere.conf", 1);
  const std::string given = *run_command({"env"}, kLong, {});
  EXPECT_THAT(given, HasSubstr("SLURM_CONF=/etc/elsewhere.conf\n"));
  EXPECT_THAT(given, HasSubstr("PATH="));
  EXPECT_THAT(given, Not(HasSubstr("secret")));
  unsetenv("SLURM_CONF");
}

}  // namespace
}  // namespace prefixmem::provision
