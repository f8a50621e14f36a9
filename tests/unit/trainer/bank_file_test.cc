#include "worker/trainer/train/bank_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/train/agent_requests.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

class BankFile : public ::testing::Test {
 protected:
  Result<std::vector<TrialFiles>> read(const std::string& text) {
    return read_bank_file(folder_.write("bank.json", text));
  }
  std::string refusal(const std::string& text) {
    const auto bank = read(text);
    return bank.ok() ? "accepted" : bank.status().message();
  }

  const ScratchFolder folder_;
};

TEST_F(BankFile, ListsTrials) {
  const auto bank = read(
      R"({"trials": [{"spec": "a.yaml", "out": "/x/a", "resume": true},
                      {"spec": "b", "out": "/x/b", "portable": "p.yaml"}]})");
  ASSERT_TRUE(bank.ok()) << bank.status().message();
  ASSERT_EQ(bank->size(), 2U);
  EXPECT_EQ((*bank)[0].spec, "a.yaml");
  EXPECT_EQ((*bank)[0].out, "/x/a");
  EXPECT_TRUE((*bank)[0].resume);
  EXPECT_TRUE((*bank)[0].portable.empty());
  EXPECT_FALSE((*bank)[1].resume);
  EXPECT_EQ((*bank)[1].portable, "p.yaml");
}

TEST_F(BankFile, SaysWhatIsWrong) {
  EXPECT_EQ(read_bank_file(folder_.path() / "none").status().code(), Code::kNotFound);
  EXPECT_THAT(refusal("{"), HasSubstr("bank.json"));
  EXPECT_THAT(refusal("{}"), HasSubstr("one key, trials, a list"));
  EXPECT_THAT(refusal(R"({"trials": []})"), HasSubstr("one key, trials, a list"));
  EXPECT_THAT(refusal(R"({"trials": [{"spec": "a"}]})"), HasSubstr("trial 0: out is missing"));
  EXPECT_THAT(refusal(R"({"trials": [{"spec": 3, "out": "b"}]})"),
              HasSubstr("trial 0: spec is 3; allowed: a path"));
  EXPECT_THAT(refusal(R"({"trials": [{"spec": "a", "out": "b", "resume": 1}]})"),
              HasSubstr("trial 0: resume is 1; allowed: true, false"));
  EXPECT_THAT(refusal(R"({"trials": [{"spec": "a", "out": "b", "again": true}]})"),
              HasSubstr("trial 0: unknown key again"));
  EXPECT_THAT(refusal(R"({"trials": [{"spec": "a", "out": "b"}, {"spec": "c", "out": "./b"}]})"),
              HasSubstr("trial 1: out is ./b, that of another trial"));
}

TEST(AgentRequests, TakesTheAgentsLines) {
  AgentRequests requests;
  EXPECT_TRUE(requests.take_line(R"({"stop":{"trial":3}})").ok());
  EXPECT_TRUE(requests.stop_asked(3));
  EXPECT_FALSE(requests.stop_asked(2));
  EXPECT_TRUE(requests.take_line(R"({"join":{"spec":"/a","out":"/b","resume":true}})").ok());
  EXPECT_TRUE(requests.take_line(R"({"join":{"spec":"/c","out":"/d"}})").ok());
  ASSERT_EQ(requests.joining(), 2u);
  EXPECT_EQ(requests.joining(0).out, "/b");
  EXPECT_TRUE(requests.joining(0).resume);
  EXPECT_EQ(requests.joining(1).spec, "/c");
  for (const char* line : {"", "{", "3", R"({"stop":3})", R"({"stop":{"trial":-1}})",
                           R"({"stop":{"trial":1},"more":1})", R"({"stop":{}})", R"({"join":{}})",
                           R"({"join":{"spec":"/a"}})", R"({"join":[]})"}) {
    EXPECT_EQ(requests.take_line(line).code(), Code::kInvalidArgument) << line;
  }
  EXPECT_FALSE(requests.stop_asked(1));
  EXPECT_EQ(requests.joining(), 2u);
}

}  // namespace
}  // namespace prefixmem::trainer
