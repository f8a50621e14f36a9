// What belongs to no single command: the command line itself, a server that is away, version,
// explain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <sstream>

#include "client/app.h"
#include "client/exit_codes.h"
#include "common/spec/spec_io.h"
#include "common/version.h"
#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// An address where nobody listens: the port of a server that has gone.
std::string deserted_address() { return FakeService().address(); }

size_t lines_of(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(CommandLine, WithoutACommandIsWrong) {
  Pmt pmt;
  const Outcome done = pmt.run_as_is({});
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(done.out, "");
  EXPECT_THAT(done.err, StartsWith("pmt: "));
  EXPECT_THAT(done.err, HasSubstr("pmt --help"));
}

TEST(CommandLine, NamesAnUnknownCommand) {
  Pmt pmt;
  const Outcome done = pmt.run_as_is({"frob\x1b[2J", "x"});
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(
      done.err,
      "pmt: \"frob [2J\" is no command; allowed: submit, list, show, watch, logs, trace, cancel, "
      "rm, pin, unpin, results, download, workers, tenants, verify, export, diagnose, benchmarks, "
      "explain, sweeps, "
      "admin, models, health, version\n");
}

TEST(CommandLine, NamesTheCommandThatWasMeant) {
  Pmt pmt;
  EXPECT_EQ(pmt.run_as_is({"sumbit", "job.yaml"}).err,
            "pmt: \"sumbit\" is no command; did you mean submit?\n");
}

TEST(CommandLine, NamesAWrongOptionAndPointsToTheCommandsHelp) {
  Pmt pmt;
  const Outcome option = pmt.run_as_is({"list", "--frob"});
  EXPECT_EQ(option.code, 2);
  EXPECT_THAT(option.err, HasSubstr("--frob"));
  EXPECT_THAT(option.err, HasSubstr("pmt list --help"));
  EXPECT_EQ(lines_of(option.err), 1u) << option.err;
  const Outcome missing = pmt.run_as_is({"show"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("job is required"));
  const Outcome form = pmt.run_as_is({"version", "-o", "xml"});
  EXPECT_EQ(form.code, 2);
  EXPECT_THAT(form.err, testing::AllOf(HasSubstr("xml"), HasSubstr("json"), HasSubstr("table")));
  EXPECT_EQ(pmt.run_as_is({"version", "--timeout", "-1"}).code, 2);
}

TEST(CommandLine, HelpIsNoFailure) {
  Pmt pmt;
  const Outcome done = pmt.run_as_is({"--help"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.err, "");
  for (const char* command : {"submit", "list", "show", "watch", "logs", "cancel", "results",
                              "download", "workers", "explain", "health", "version"}) {
    EXPECT_THAT(done.out, HasSubstr(std::string("\n  ") + command + " "));
    const Outcome help = pmt.run_as_is({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr(command));
  }
}

TEST(CommandLine, OptionsOfEveryCommandStandOnEitherSide) {
  Pmt pmt;
  EXPECT_EQ(pmt.run_as_is({"-o", "json", "version"}).out,
            pmt.run_as_is({"version", "-o", "json"}).out);
  EXPECT_EQ(pmt.run_as_is({"list", "--server", pmt.service.address()}).code, 0);
}

TEST(CommandLine, TheServerComesFromTheEnvironmentUnlessGiven) {
  Pmt pmt;
  ASSERT_EQ(setenv("PREFIXMEM_SERVER", pmt.service.address().c_str(), 1), 0);
  EXPECT_EQ(pmt.run_as_is({"list"}).code, 0);
  ASSERT_EQ(setenv("PREFIXMEM_SERVER", "nonsense", 1), 0);
  EXPECT_EQ(pmt.run_as_is({"list"}).err,
            "pmt: --server is \"nonsense\"; allowed: HOST:PORT, e.g. 127.0.0.1:7070\n");
  EXPECT_EQ(pmt.run({"list"}).code, 0);
  ASSERT_EQ(unsetenv("PREFIXMEM_SERVER"), 0);
}

TEST(CommandLine, RefusesWhatIsNoAddress) {
  Pmt pmt;
  for (const char* address :
       {"host", ":1", "host:", "host:0", "host:65536", "host:1x", "host:-1"}) {
    const Outcome done = pmt.run_as_is({"list", "--server", address});
    EXPECT_EQ(done.code, 11) << address;
    EXPECT_THAT(done.err, HasSubstr(std::string("\"") + address + "\""));
  }
}

TEST(CommandLine, HealthIsThatOfTheServer) {
  Pmt pmt;
  EXPECT_EQ(pmt.run({"health"}).out, pmt.service.address() + " takes calls\n");
  EXPECT_EQ(pmt.run({"health", "-o", "json"}).json()["serving"], true);
  pmt.service.set_serving(false);
  const Outcome done = pmt.run({"health"});
  EXPECT_EQ(done.code, 16);
  EXPECT_EQ(done.err, "pmt: the coordinator at " + pmt.service.address() +
                          " takes no calls: it is shutting down\n");
}

TEST(CommandLine, AServerThatIsAwayIsNamed) {
  Pmt pmt;
  const std::string address = deserted_address();
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"list"},
                                             {"show", "a"},
                                             {"watch", "a"},
                                             {"logs", "a"},
                                             {"cancel", "a"},
                                             {"results", "a"},
                                             {"download", "a"},
                                             {"workers"}}) {
    auto arguments = command;
    arguments.insert(arguments.end(), {"--server", address});
    const Outcome done = pmt.run_as_is(arguments);
    EXPECT_EQ(done.code, 16) << command[0];
    EXPECT_EQ(done.out, "") << command[0];
    EXPECT_THAT(done.err, StartsWith("pmt: no answer from the coordinator at " + address));
    EXPECT_THAT(done.err, HasSubstr("PREFIXMEM_SERVER"));
    EXPECT_EQ(lines_of(done.err), 1u) << done.err;
  }
}

TEST(CommandLine, AFullDiskIsAFailure) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  const FakeClock clock;
  Environment environment{in, out, err, [] { return std::nullopt; }, clock, "/", {}, {}, {}};
  const char* argv[] = {"pmt", "version"};
  EXPECT_EQ(run_pmt(2, argv, environment), 13);
  EXPECT_EQ(err.str(), "pmt: standard output cannot be written\n");
}

TEST(Version, InBothForms) {
  Pmt pmt;
  const std::string number(version());
  EXPECT_EQ(pmt.run_as_is({"version"}).out, "pmt " + number + "\n");
  EXPECT_EQ(pmt.run_as_is({"version", "-o", "json"}).json()["version"], number);
  EXPECT_EQ(pmt.run_as_is({"--version"}).out, "pmt " + number + "\n");
}

TEST(Version, OfTheCoordinatorThatRuns) {
  Pmt pmt;
  EXPECT_EQ(pmt.run({"version", "--coordinator"}).out, "pmt-coordinator 0.0.1+fake\n");
  EXPECT_EQ(pmt.run({"version", "--coordinator", "-o", "json"}).json()["version"], "0.0.1+fake");
}

TEST(Explain, PrintsTheKeys) {
  Pmt pmt;
  const Outcome one = pmt.run_as_is({"explain", "train.schedule"});
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out, *explain("train.schedule"));
  EXPECT_EQ(pmt.run_as_is({"explain"}).out, *explain(""));
  EXPECT_EQ(pmt.run_as_is({"explain", "--markdown"}).out, job_spec_markdown());
  EXPECT_EQ(pmt.run_as_is({"explain", "--markdown", "train"}).code, 2);
}

TEST(Explain, AsJson) {
  Pmt pmt;
  const auto json = pmt.run_as_is({"explain", "data.few_shot", "-o", "json"}).json();
  ASSERT_EQ(json["keys"].size(), 3u);
  EXPECT_EQ(json["keys"][1]["path"], "data.few_shot.per_class");
  EXPECT_EQ(json["keys"][1]["default"], "1");
  EXPECT_THAT(json["keys"][1]["meaning"].get<std::string>(), HasSubstr("each label"));
}

TEST(Explain, NamesWhatIsNoKey) {
  Pmt pmt;
  for (const char* form : {"table", "json"}) {
    const Outcome done = pmt.run_as_is({"explain", "train.learning_rat", "-o", form});
    EXPECT_EQ(done.code, 11);
    EXPECT_EQ(done.out, "");
    EXPECT_THAT(done.err, HasSubstr("train.learning_rate"));
  }
}

TEST(ExitCodes, AFailedJobOutweighsACancelledOne) {
  EXPECT_EQ(exit_code_of({}), 0);
  EXPECT_EQ(exit_code_of({v1::JOB_STATE_SUCCEEDED}), 0);
  EXPECT_EQ(exit_code_of({v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_CANCELLED}), 3);
  EXPECT_EQ(exit_code_of({v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED}), 1);
}

}  // namespace
}  // namespace prefixmem::client
