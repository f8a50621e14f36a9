#include "worker/agent/gang/gang.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include "common/files.h"
#include "tests/unit/agent/gang_script.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/gang/process_table.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Millis kNever{3600000};

bool alive(pid_t pid) {
  for (const Process& process : list_processes()) {
    if (process.pid == pid) return !process.dead();
  }
  return false;
}

class GangTest : public testing::Test {
 protected:
  GangTest() { limits_.start = limits_.failure = limits_.silence = limits_.standstill = kNever; }

  GangEnd run(const std::string& body) {
    GangPlan plan;
    plan.socket = folder_.path() / "s";
    plan.output_file = folder_.path() / "stderr.log";
    plan.mark = "PREFIXMEM_GANG=" + folder_.path().string();
    plan.command.argv = {write_script(folder_.path() / "mpirun", body), "--events", plan.socket};
    plan.command.environment = {plan.mark};
    plan.command.folder = folder_.path();
    plan.trials = trials_;
    return run(plan);
  }
  GangEnd run(const GangPlan& plan) {
    const GangWorld world{*launcher_, [] { return MemoryReading(); }, limits_, "here"};
    const auto on_event = [this](const TrialEvent& event) {
      if (const auto* log = std::get_if<LogEvent>(&event.event)) said_.push_back(log->message);
      if (const auto* failure = std::get_if<FailureEvent>(&event.event); failure && trials_ > 0) {
        said_.push_back(std::to_string(event.trial) + ": " + failure->status.to_string());
      }
      return on_event_ ? on_event_(event.event) : Status();
    };
    const auto on_hang = [this](const std::optional<Hang>& hang) {
      hangs_.push_back(hang ? hang->call.name + std::to_string(hang->absent.size()) : "over");
    };
    const auto take_joining = [this] { return std::exchange(joining_, {}); };
    return run_gang(plan, world, stop_, {on_event, on_hang, take_joining});
  }
  // Asks for the end as soon as an event has come.
  void stop_at_first_event(Millis grace) {
    on_event_ = [this, grace](const Event&) {
      stop_.request(grace);
      return Status();
    };
  }
  std::vector<pid_t> pids_said() const {
    std::vector<pid_t> pids;
    for (const std::string& text : said_) pids.push_back(std::stoi(text));
    return pids;
  }

  const TempFolder folder_;
  const std::unique_ptr<Launcher> launcher_ = std::move(*make_launcher());
  GangLimits limits_;
  StopRequest stop_;
  std::function<Status(const Event&)> on_event_;
  int trials_ = 0;
  // Makes the file `name` once a log line has come that holds the words.
  void make_file_at(const std::string& name, const std::string& words) {
    on_event_ = [this, name, words, earlier = on_event_](const Event& event) {
      const auto* log = std::get_if<LogEvent>(&event);
      if (log != nullptr && log->message.find(words) != std::string::npos) {
        PM_TRY(write_file_atomic(folder_.path() / name, ""));
      }
      return earlier ? earlier(event) : Status();
    };
  }

  std::vector<std::string> joining_;  // lines of trials that are to come in
  std::vector<std::string> said_;
  std::vector<std::string> hangs_;
};

TEST_F(GangTest, BringsEventsInOrderAndKeepsTheOutput) {
  const GangEnd end = run(R"(
rank = Rank()
for i in range(50):
    rank.log(i)
say("to stderr")
print("to stdout")
)");
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  ASSERT_EQ(said_.size(), 50u);
  EXPECT_EQ(said_.front(), "0");
  EXPECT_EQ(said_.back(), "49");
  EXPECT_EQ(end.output_tail, "to stderr\nto stdout\n");
  EXPECT_EQ(*read_file(folder_.path() / "stderr.log"), "to stderr\nto stdout\n");
  EXPECT_FALSE(end.killed_here);
}

TEST_F(GangTest, RunsInItsFolderWithItsMark) {
  run("say(os.getcwd() + ' ' + os.environ['PREFIXMEM_GANG'] + str(os.getsid(0) == os.getpid()))");
  const std::string path = folder_.path();
  EXPECT_EQ(*read_file(folder_.path() / "stderr.log"), path + " " + path + "True\n");
}

TEST_F(GangTest, TheExitCodeBecomesAStatus) {
  const GangEnd end = run("say('first'); say('model /m is not there'); sys.exit(12)");
  EXPECT_EQ(explain_end(end).code(), Code::kNotFound);
  EXPECT_EQ(explain_end(end).message(), "model /m is not there");
}

TEST_F(GangTest, KeepsTheLast200LinesOfStderr) {
  const GangEnd end = run("for i in range(1, 301): say(f'line {i}')\nsys.exit(18)");
  ASSERT_EQ(end.output.size(), 200u);
  EXPECT_EQ(end.output.front(), "line 101");
  EXPECT_EQ(end.output.back(), "line 300");
  EXPECT_THAT(*read_file(folder_.path() / "stderr.log"), HasSubstr("line 1\n"));
}

TEST_F(GangTest, TheFirstReportedFailureIsTheReason) {
  const GangEnd end = run(R"(
one, two = Rank(0), Rank(1)
one.send(failure={"rank": 0, "code": "DATA_LOSS", "message": "cut short"})
two.send(failure={"rank": 1, "code": "INTERNAL", "message": "other"})
sys.exit(14)
)");
  EXPECT_EQ(explain_end(end).to_string(), "DATA_LOSS: cut short");
}

TEST_F(GangTest, ARankThatIsKilled) {
  const GangEnd end = run("Rank(1); os.kill(os.getpid(), signal.SIGKILL)");
  EXPECT_EQ(end.exit.signal, SIGKILL);
  EXPECT_EQ(end.first_lost_rank, 1);
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
}

TEST_F(GangTest, ARankThatKeepsTheOthersWaitingIsNamed) {
  limits_.roll_call = Millis(20);
  make_file_at("named", "keeps the others waiting");
  make_file_at("over", "the ranks go on");
  const GangEnd end = run(R"(
import threading
answer = {"name": "all_reduce", "number": 7, "seconds": 20.0}
def keep_answering(rank):
    while rank.hear() == {"where": {}}:
        rank.send(call=answer)
one, two = Rank(0), Rank(1)
threading.Thread(target=keep_answering, args=(one,), daemon=True).start()
wait_for("named")
answer = {"name": "", "number": 7, "seconds": 0.0}
wait_for("over")
)");
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  EXPECT_EQ(end.hang, "");
  EXPECT_EQ(hangs_.front(), "all_reduce1");
  EXPECT_EQ(hangs_.back(), "over");
  EXPECT_THAT(said_.front(),
              testing::MatchesRegex("rank 1 on host here keeps the others waiting, who have been "
                                    "in all_reduce \\(call 7\\) for 20 s: its process [0-9]+ "
                                    "[a-z ]+ and does not answer"));
  EXPECT_EQ(said_.back(), "the ranks go on: no collective call hangs any more");
}

TEST_F(GangTest, AFailureByTheDeadlineSaysWhoWasMissing) {
  limits_.roll_call = Millis(20);
  make_file_at("named", "keeps the others waiting");
  const GangEnd end = run(R"(
import threading
def keep_answering(rank):
    while rank.hear() == {"where": {}}:
        rank.send(call={"name": "barrier", "number": 7, "seconds": 600})
one, two = Rank(0), Rank(1)
threading.Thread(target=keep_answering, args=(one,), daemon=True).start()
wait_for("named")
one.send(failure={"rank": 0, "code": "UNAVAILABLE", "message": "waited 600 s"})
sys.exit(20)
)");
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
  EXPECT_THAT(explain_end(end).message(), testing::StartsWith("waited 600 s; rank 1 on host here"));
}

TEST_F(GangTest, ARankThatDoesNotAnswerForLongEndsTheGang) {
  limits_.roll_call = Millis(20);
  limits_.silence = Millis(1000);
  const GangEnd end = run(R"(
answering, silent = Rank(0), Rank(1)
while True:
    answering.hear()
    answering.send(call={"name": "", "number": 7, "seconds": 0.0})
)");
  EXPECT_TRUE(end.killed_here);
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
  EXPECT_THAT(explain_end(end).message(),
              testing::MatchesRegex("rank 1 on host here has not answered for 1 s: its process "
                                    "[0-9]+ [a-z ]+"));
}

TEST_F(GangTest, ARankAloneIsAskedAsWell) {
  limits_.roll_call = Millis(20);
  limits_.silence = Millis(100);
  const GangEnd end = run("rank = Rank(); wait_for_signals()");
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
  EXPECT_THAT(explain_end(end).message(), testing::StartsWith("rank 0 on host here"));
}

TEST_F(GangTest, AProcessThatIsStoppedBeforeItIsARankEndsTheGang) {
  limits_.look = Millis(20);
  limits_.standstill = Millis(1000);
  const GangEnd end = run(R"(
if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)
Rank(); wait_for_signals()
)");
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
  EXPECT_THAT(explain_end(end).message(),
              testing::MatchesRegex("process [0-9]+ has been stopped by a signal for 1 s"));
}

TEST_F(GangTest, OneThatGoesOnInTimeDoesNot) {
  limits_.look = Millis(20);
  limits_.standstill = Millis(1000);
  const GangEnd end = run(R"(
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(1)
    os._exit(0)
rank = Rank()
os.waitpid(child, os.WUNTRACED)
time.sleep(0.2)
os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
)");
  EXPECT_TRUE(end.trouble.ok()) << end.trouble.message();
}

TEST_F(GangTest, MpirunThatStaysAfterItsRanksIsKilled) {
  limits_.look = Millis(20);
  limits_.failure = Millis(50);
  const GangEnd end = run(R"(
rank = Rank()
rank.log("done")
rank.lines.close()
rank.socket.close()
wait_for_signals()
)");
  EXPECT_EQ(explain_end(end).to_string(),
            "UNAVAILABLE: mpirun has not ended within 0 s of its last rank");
}

TEST_F(GangTest, AStopLetsTheRanksLeaveByThemselves) {
  stop_at_first_event(kNever);
  const GangEnd end = run(R"(
def leave(*_):
    rank.log("checkpoint written")
    sys.exit(17)
signal.signal(signal.SIGUSR1, leave)
rank = Rank()
rank.log("runs")
wait_for_signals()
)");
  EXPECT_THAT(said_, ElementsAre("runs", "checkpoint written"));
  EXPECT_EQ(end.exit.code, 17);
  EXPECT_FALSE(end.killed_here);
}

TEST_F(GangTest, ADeafGangIsKilledAfterItsGrace) {
  stop_at_first_event(Millis(50));
  const GangEnd end = run(R"(
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
Rank().log("runs")
wait_for_signals()
)");
  EXPECT_TRUE(end.killed_here);
  EXPECT_EQ(end.exit.signal, SIGKILL);
  EXPECT_TRUE(end.trouble.ok()) << end.trouble.message();
}

TEST_F(GangTest, AStopBeforeAnyRankReportedKillsAtOnce) {
  stop_.request(kNever);
  const GangEnd end = run("wait_for_signals()");
  EXPECT_TRUE(end.killed_here);
  EXPECT_EQ(end.exit.signal, SIGKILL);
}

// Children and orphans in sessions of their own, with the gang's environment and with a bare one.
const char* const kFamily = R"(
rank = Rank()
sleep = ["sleep", "1000"]
bare = {"PATH": os.environ["PATH"]}
for env in (None, bare):
    rank.log(subprocess.Popen(sleep, env=env, start_new_session=True).pid)
def orphan(env=None):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        child = subprocess.Popen(sleep, env=env)
        os.write(write, str(child.pid).encode())
        os._exit(0)
    os.wait()
    return os.read(read, 20).decode()
rank.log(orphan())
rank.log(orphan(bare))
)";

TEST_F(GangTest, AKillReachesEveryDescendant) {
  on_event_ = [this](const Event&) {
    if (said_.size() == 4) stop_.request(Millis(0));
    return Status();
  };
  const GangEnd end = run(std::string(kFamily) + "wait_for_signals()");
  EXPECT_TRUE(end.trouble.ok()) << end.trouble.message();
  ASSERT_EQ(said_.size(), 4u);
  for (const pid_t pid : pids_said()) EXPECT_FALSE(alive(pid)) << pid;
}

TEST_F(GangTest, NobodyIsLeftBehindByAGangThatEndsWell) {
  const GangEnd end = run(std::string(kFamily) + "sys.exit(0)");
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  ASSERT_EQ(said_.size(), 4u);
  for (const pid_t pid : pids_said()) EXPECT_FALSE(alive(pid)) << pid;
}

TEST_F(GangTest, AnEventThatCannotBeTakenEndsTheGang) {
  on_event_ = [](const Event&) { return resource_exhausted("disk full"); };
  const GangEnd end = run("Rank().log('runs'); wait_for_signals()");
  EXPECT_EQ(explain_end(end).to_string(), "RESOURCE_EXHAUSTED: disk full");
  EXPECT_TRUE(end.killed_here);
}

TEST_F(GangTest, AProgramThatIsNotThere) {
  GangPlan plan;
  plan.socket = folder_.path() / "s";
  plan.output_file = folder_.path() / "stderr.log";
  plan.mark = "PREFIXMEM_GANG=x";
  plan.command = {{"/nowhere/mpirun"}, {}, "/", -1};
  const Status status = explain_end(run(plan));
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/nowhere/mpirun"));
}

TEST_F(GangTest, AGangOfWhichNobodyReportsIsGivenUp) {
  limits_.start = limits_.look = Millis(1);
  const GangEnd end = run("wait_for_signals()");
  EXPECT_THAT(end.trouble.message(), HasSubstr("no rank has reported"));
}

TEST_F(GangTest, AHelloIsNoReport) {
  limits_.start = Millis(1000);
  limits_.look = Millis(1);
  const GangEnd end = run("Rank(); signal.alarm(20); wait_for_signals()");
  EXPECT_THAT(end.trouble.message(), HasSubstr("no rank has reported within 1 s"));
}

TEST_F(GangTest, AStopAfterTheHelloIsASignal) {
  std::thread stopping([this] {
    while (!std::filesystem::exists(folder_.path() / "hello")) std::this_thread::yield();
    stop_.request(kNever);
  });
  const GangEnd end = run(R"(
import fcntl, struct, termios
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(17))
rank = Rank()
while struct.unpack("i", fcntl.ioctl(rank.socket, termios.TIOCOUTQ, bytes(4)))[0]:
    time.sleep(0.01)  # until the hello is read
pathlib.Path("hello").touch()
wait_for_signals()
)");
  stopping.join();
  EXPECT_EQ(end.exit.code, 17);
  EXPECT_FALSE(end.killed_here);
}

TEST_F(GangTest, AGangThatHangsAfterItsFailureIsKilled) {
  limits_.failure = Millis(20);
  const GangEnd end = run(R"(
Rank().send(failure={"rank": 0, "code": "UNAVAILABLE", "message": "rank 1 does not answer"})
wait_for_signals()
)");
  EXPECT_TRUE(end.killed_here);
  EXPECT_EQ(explain_end(end).to_string(), "UNAVAILABLE: rank 1 does not answer");
}

// A bank of two of which trial 1 is asked to leave; the gang hears of it on rank 0's socket.
class BankTest : public GangTest {
 protected:
  BankTest() { trials_ = 2; }

  void stop_a_trial_at_first_event(Millis grace) {
    on_event_ = [this, grace](const Event&) {
      if (!std::exchange(asked_, true)) stop_.request_trial(1, grace);
      return Status();
    };
  }

 private:
  bool asked_ = false;
};

TEST_F(BankTest, ATrialLeavesAlone) {
  stop_a_trial_at_first_event(kNever);
  const GangEnd end = run(R"(
rank = Rank()
rank.log("runs")
asked = rank.hear()["stop"]["trial"]
rank.fail(asked, "CANCELLED", "checkpoint written")
rank.log("goes on")
rank.result(0)
)");
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  EXPECT_FALSE(end.failure.has_value()) << "of a trial, not of the gang";
  EXPECT_THAT(said_, ElementsAre("runs", "1: CANCELLED: checkpoint written", "goes on"));
}

TEST_F(BankTest, AStopBeforeTheHelloReachesTheGang) {
  stop_.request_trial(1, kNever);
  run("rank = Rank(); rank.log(rank.hear()); rank.fail(1, 'CANCELLED', 'left')");
  EXPECT_THAT(said_, ElementsAre("{'stop': {'trial': 1}}", "1: CANCELLED: left"));
}

TEST_F(BankTest, ADeafTrialIsLeftBehind) {
  stop_a_trial_at_first_event(Millis(20));
  const auto go = folder_.path() / "go";
  const auto ask = std::exchange(on_event_, nullptr);
  on_event_ = [&](const Event& event) {
    if (std::holds_alternative<FailureEvent>(event)) {
      EXPECT_TRUE(write_file_atomic(go, "").ok());
    }
    return ask(event);
  };
  const GangEnd end = run("rank = Rank(); rank.log('runs'); wait_for('go'); rank.log('goes on')");
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  EXPECT_FALSE(end.killed_here);
  EXPECT_THAT(said_,
              ElementsAre("runs", "1: CANCELLED: the trial was asked to stop and has not in time",
                          "goes on"));
}

TEST_F(BankTest, AGangThatHangsAfterTheEndOfAllTrialsIsKilled) {
  limits_.failure = Millis(20);
  const GangEnd end = run(R"(
rank = Rank()
rank.result(0)
rank.fail(1, "INTERNAL", "loss is not finite")
wait_for_signals()
)");
  EXPECT_TRUE(end.killed_here);
  EXPECT_THAT(said_, ElementsAre("1: INTERNAL: loss is not finite"));
}

// The others have ended, and the limit for leaving passes while it trains.
TEST_F(BankTest, ATrialThatJoinsAfterTheEndOfAllOthersIsNotKilled) {
  limits_.failure = Millis(1000);  // a busy machine's process needs some of it to leave
  joining_ = {"{\"join\":{}}\n"};
  stop_.knock();
  const GangEnd end = run(R"(
rank = Rank()
rank.hear()
rank.result(0)
rank.result(1)
rank.log("joined", 2)
time.sleep(1.2)
rank.result(2)
)");
  EXPECT_FALSE(end.killed_here);
  EXPECT_TRUE(explain_end(end).ok()) << explain_end(end).message();
  EXPECT_THAT(said_, ElementsAre("joined"));
}

TEST_F(BankTest, TheWholeGangsFailureIsTheReasonOfItsEnd) {
  const GangEnd end = run(R"(
rank = Rank()
rank.fail(1, "DATA_LOSS", "of one")
rank.send(failure={"rank": 0, "code": "NOT_FOUND", "message": "of all"})
sys.exit(12)
)");
  EXPECT_EQ(explain_end(end).to_string(), "NOT_FOUND: of all");
}

}  // namespace
}  // namespace prefixmem::agent
