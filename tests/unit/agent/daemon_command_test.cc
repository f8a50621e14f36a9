#include "worker/agent/hosts/daemon_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What Open MPI 4.1 hands to its remote shell, word by word.
const std::vector<std::string> kWords = {
    " orted",
    "-mca",
    "orte_leave_session_attached",
    "\"1\"",
    "-mca",
    "ess",
    "\"env\"",
    "-mca",
    "ess_base_vpid",
    "1",
    "-mca",
    "orte_node_regex",
    "\"head,pmt[1:1]@0(2)\"",
    "-mca",
    "orte_hnp_uri",
    "\"26279936.0;tcp://10.0.0.1:60993;tcp6://[fd00::2]:57841\"",
    "-mca",
    "plm_rsh_agent",
    "\"/head/pmt-rsh /head/hosts.sock\"",
    "--mca",
    "orte_tmpdir_base",
    "\"/head/run\"",
    "-mca",
    "pmix",
    "\"^s1,s2,cray,isolated\""};

Result<std::vector<std::string>> command_of(const std::vector<std::string>& arguments) {
  return daemon_command("/usr/bin/orted", arguments, "/here/run");
}

TEST(DaemonCommand, IsWhatMpirunAsksForInThisHostsFolders) {
  const auto arguments = daemon_arguments(kWords);
  ASSERT_TRUE(arguments.ok()) << arguments.status().message();
  const auto command = command_of(*arguments);
  ASSERT_TRUE(command.ok()) << command.status().message();
  EXPECT_THAT(*command,
              ElementsAre("/usr/bin/orted", "-mca", "orte_leave_session_attached", "1", "-mca",
                          "ess", "env", "-mca", "ess_base_vpid", "1", "-mca", "orte_node_regex",
                          "head,pmt[1:1]@0(2)", "-mca", "orte_hnp_uri",
                          "26279936.0;tcp://10.0.0.1:60993;tcp6://[fd00::2]:57841", "-mca", "pmix",
                          "^s1,s2,cray,isolated", "-mca", "orte_tmpdir_base", "/here/run"));
}

TEST(DaemonCommand, RefusesAnotherProgram) {
  for (const auto& words : {std::vector<std::string>{}, std::vector<std::string>{"/bin/sh", "-c"},
                            std::vector<std::string>{" PATH=/opt/bin:$PATH ; orted", "-mca"}}) {
    EXPECT_EQ(daemon_arguments(words).status().code(), Code::kFailedPrecondition);
  }
  EXPECT_THAT(daemon_arguments({"/bin/sh"}).status().message(), HasSubstr("\"/bin/sh\""));
}

TEST(DaemonCommand, RefusesWhatIsNotKnownAsHarmless) {
  const std::vector<std::vector<std::string>> refused = {
      {"-mca", "mca_base_component_path", "/tmp/mine"},
      {"-mca", "orte_launch_agent", "/tmp/mine"},
      {"-mca", "ess_base_vpid", "1; rm -r /"},
      {"-mca", "orte_hnp_uri", "file:/etc/passwd"},
      {"-mca", "orte_node_regex", "a b"},
      {"-mca", "pmix", "$(id)"},
      {"--prefix", "/tmp", "-mca"},
      {"-mca", "ess"},
      {"-x", "LD_PRELOAD=/tmp/mine.so", "x"}};
  for (const auto& arguments : refused) {
    const auto command = command_of(arguments);
    EXPECT_EQ(command.status().code(), Code::kInvalidArgument) << arguments.front();
    EXPECT_THAT(command.status().message(), HasSubstr("; allowed: "));
  }
  EXPECT_THAT(command_of(refused[0]).status().message(),
              HasSubstr("the parameter mca_base_component_path"));
}

TEST(MpiName, IsThisHostOnlyForTheFirst) {
  EXPECT_EQ(mpi_name(0), "localhost");
  EXPECT_EQ(mpi_name(2), "pmt-member2");
  EXPECT_EQ(mpi_name_variable(2), "PMIX_HOSTNAME=pmt-member2");
}

}  // namespace
}  // namespace prefixmem::agent
