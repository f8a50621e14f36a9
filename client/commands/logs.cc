#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/event_line.h"
#include "client/render/json.h"
#include "common/proto/job_state.h"

namespace prefixmem::client {
namespace {

constexpr Millis kFollowLimit{std::chrono::hours(24)};
constexpr int kTriesWithoutALine = 5;

struct LogsOptions {
  std::string job;
  bool follow = false;
};

// Prints the lines of a log that may be sent again from its beginning.
class Printer {
 public:
  explicit Printer(Session& session) : session_(session) {}

  void begin() { seen_ = 0; }
  int64_t printed() const { return printed_; }

  auto taker() {
    return [this](const v1::LogLine& line) { return take(line); };
  }

 private:
  Status take(const v1::LogLine& line) {
    if (++seen_ <= printed_) return {};
    ++printed_;
    if (!session_.json()) return session_.print(log_line(line) + "\n");
    PM_ASSIGN(const std::string text, json_line(line));
    return session_.print(text);
  }

  Session& session_;
  int64_t seen_ = 0;
  int64_t printed_ = 0;
};

Status follow(Server& server, const v1::StreamLogsRequest& request, Printer& printer,
              Session& session) {
  for (int tries = 1;; ++tries) {
    const int64_t before = printer.printed();
    printer.begin();
    const Status end = server.logs(request, kFollowLimit, printer.taker());
    if (end.code() != Code::kUnavailable) return end;
    if (printer.printed() > before) tries = 0;
    if (tries == kTriesWithoutALine) return end;
    session.note(end.message() + "; waiting for it");
    if (!server.wait_until_back(session.env.feed.patience)) return end;
  }
}

Result<int> logs(const LogsOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  v1::StreamLogsRequest request;
  request.set_job(options.job);
  request.set_follow(options.follow);
  Printer printer(session);
  PM_TRY(options.follow ? follow(*server, request, printer, session)
                        : server->logs(request, server->timeout(), printer.taker()));
  if (printer.printed() == 0) {
    PM_ASSIGN(const v1::Job job, server->job(options.job));
    session.note("job " + job.id() + " has logged nothing" +
                 (has_ended(job.state()) ? "" : " so far") + "; it is " + state_name(job.state()) +
                 ": " + job.reason());
  }
  return kExitDone;
}

}  // namespace

Command add_logs(CLI::App& app) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App* command = app.add_subcommand("logs", "Print a job's log; with -o json a line each");
  command->add_option("job", options->job, "Job id or name")->required();
  command->add_flag("-f,--follow", options->follow, "Go on until the job ends");
  return {command, [options](Session& session) { return logs(*options, session); }};
}

}  // namespace prefixmem::client
