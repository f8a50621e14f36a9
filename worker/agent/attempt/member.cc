#include "worker/agent/attempt/member.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "common/guarded.h"
#include "common/log.h"
#include "common/spec/utf8.h"
#include "worker/agent/gang/child.h"
#include "worker/agent/gang/family.h"
#include "worker/agent/gang/gang_end.h"
#include "worker/agent/gang/line_server.h"
#include "worker/agent/hosts/daemon_command.h"

namespace prefixmem::agent {

// Open MPI's daemon from its start to its end, and the ranks' socket meanwhile.
class Member::Daemon final : private LineServer::Listener {
 public:
  Daemon(Member& member, const Command& command, const GangFolder& folder)
      : member_(member), command_(command), folder_(folder) {}

  Result<DaemonEnded> run() {
    PM_ASSIGN(LineServer ranks, LineServer::listen(folder_.socket()));
    Launcher& launcher = member_.world_.gang.launcher;
    PM_ASSIGN(Child child, Child::start(launcher, command_, folder_.output_file()));
    Family family(child.pid(), folder_.mark(), launcher);
    Status status = watch(ranks, child, family);
    const bool by_itself = child.ended();
    const bool gone = family.kill_all(member_.world_.gang.limits.kill);
    if (status.ok()) status = ranks.serve(*this);
    if (status.ok()) status = child.read_output();
    if (!gone && !child.ended()) return internal_error("the MPI daemon resists SIGKILL");
    const ProcessExit exit = launcher.wait(child.pid());
    child.log().finish();
    if (!gone && status.ok()) status = internal_error("a process of the gang resists SIGKILL");
    PM_TRY(status);
    if (!by_itself) return DaemonEnded{};
    return DaemonEnded{explain(exit, child.log()),
                       exit.signal != 0 ? exit_code(unavailable("")) : exit.code};
  }

 private:
  Status watch(LineServer& ranks, Child& child, Family& family) {
    const GangLimits& limits = member_.world_.gang.limits;
    MonotonicTime next_look = real_clock().monotonic();
    while (!member_.stopping() && !child.ended()) {
      std::vector<pollfd> polled = {{member_.woken_.get(), POLLIN, 0}};
      child.add_to(polled);
      ranks.add_to(polled);
      const Millis left = next_look - real_clock().monotonic();
      poll(polled.data(), polled.size(), static_cast<int>(std::max<int64_t>(0, left.count())));
      eventfd_t ignored = 0;
      eventfd_read(member_.woken_.get(), &ignored);
      PM_TRY(child.read_output());
      PM_TRY(ranks.serve(*this));
      for (const RankLine& line : member_.take_lines()) {
        if (ranks.tell(line.connection, line.text + "\n")) continue;
        spdlog::warn("{}: a rank does not take {}", member_.key().text(), line.text);
      }
      if (real_clock().monotonic() < next_look) continue;
      family.look();
      PM_TRY(family.none_stopped_for(limits.standstill, limits.look)
                 .with_context("worker " + member_.assignment_.here().worker));
      next_look = real_clock().monotonic() + limits.look;
    }
    return {};
  }

  // The daemon's own exit code is mpirun's to judge.
  Status explain(const ProcessExit& exit, const OutputLog& log) const {
    if (exit.signal == 0) return {};
    const std::string words = last_words(log.lines());
    return unavailable("the MPI daemon on worker " + member_.assignment_.here().worker +
                       " was killed by signal " + std::to_string(exit.signal) +
                       (words.empty() ? "" : "; its last words: " + words));
  }

  Status on_line(int connection, const std::string& line) override {
    if (spec::is_utf8(line)) {
      member_.post(RankLine{connection, line});
    } else {
      spdlog::warn("{}: a rank says what is no UTF-8", member_.key().text());
    }
    return {};
  }
  Status on_closed(int connection) override {
    member_.post(RankLeft{connection});
    return {};
  }

  Member& member_;
  const Command& command_;
  const GangFolder& folder_;
};

Member::Member(GangAssignment assignment, std::vector<std::string> gpus, const AttemptWorld& world,
               std::function<void()> changed)
    : assignment_(std::move(assignment)),
      gpus_(std::move(gpus)),
      world_(world),
      changed_(std::move(changed)),
      woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      mail_(key(), assignment_.head().worker) {
  body_ = std::thread([this] { live(); });
}

Member::~Member() {
  stop();
  body_.join();
  for (const Status& removed :
       {folder_ ? folder_->remove() : Status(), setup_ ? setup_->folder.remove() : Status()}) {
    if (!removed.ok()) spdlog::warn("{}: {}", key().text(), removed.message());
  }
}

bool Member::holds_slots() const {
  const MutexLock lock(mutex_);
  return !over_;
}

void Member::live() {
  DaemonEnded end;
  const Status status = guarded([&] {
    PM_ASSIGN(end, run());
    return Status();
  });
  if (!status.ok()) end = {status, exit_code(status)};
  {
    const MutexLock lock(mutex_);
    mail_.post(std::move(end), real_clock().monotonic());
    over_ = true;
  }
  changed_();
}

Result<DaemonEnded> Member::run() {
  if (world_.options.programs.orted.empty()) {
    return failed_precondition("worker " + assignment_.here().worker +
                               " has no orted beside its mpirun, which a gang over several hosts "
                               "needs; install Open MPI's programs there");
  }
  Assignment files = assignment_.attempts.front();
  files.resume_from = files.resume_before = files.resume_metrics = {};  // rank 0 alone reads them
  PM_ASSIGN(setup_, set_up_trial(files, world_, starting_.get_token()));
  post(MemberReady{});
  const auto start = wait_for_start();
  if (!start) return DaemonEnded{};
  PM_ASSIGN(const Command command, daemon(*start));
  spdlog::info("{}: {} ranks of the gang of worker {} begin here", key().text(), ranks(),
               assignment_.head().worker);
  return Daemon(*this, command, *folder_).run();
}

std::optional<StartDaemon> Member::wait_for_start() {
  const MutexLock lock(mutex_);
  while (!start_ && !stopped_) asked_.wait(mutex_);
  return stopped_ ? std::nullopt : std::exchange(start_, std::nullopt);
}

Result<Command> Member::daemon(const StartDaemon& start) {
  const AttemptOptions& options = world_.options;
  PM_ASSIGN(folder_, GangFolder::create(options.work_dir, key()));
  PM_TRY(link_program(options.programs.trainer, folder_->trainer()));
  if (options.job_user) PM_TRY(give(folder_->run(), *options.job_user));
  Command command;
  command.folder = options.job_user ? folder_->path() : ".";
  PM_ASSIGN(command.argv, daemon_command(options.programs.orted, start.arguments, folder_->run()));
  command.environment = rank_environment(
      options.programs, *folder_, setup_->files(),
      {setup_->spec.uses_gpu ? gpus_ : std::vector<std::string>(), assignment_.memory_here()});
  command.environment.push_back(mpi_name_variable(assignment_.self));
  return command;
}

// Only its head's.
void Member::on_note(Note note) {
  if (note.worker != assignment_.head().worker) return;
  {
    const MutexLock lock(mutex_);
    auto body = mail_.take(std::move(note), real_clock().monotonic());
    if (body) {
      if (auto* const start = std::get_if<StartDaemon>(&*body)) start_ = std::move(*start);
      if (auto* const line = std::get_if<RankLine>(&*body)) lines_.push_back(std::move(*line));
      if (std::holds_alternative<StopDaemon>(*body)) {
        stopped_ = true;
        starting_.request_stop();
      }
    }
  }
  asked_.notify_all();
  eventfd_write(woken_.get(), 1);
  changed_();
}

std::optional<Note> Member::next_note() {
  const MutexLock lock(mutex_);
  return mail_.next(real_clock().monotonic());
}

void Member::rewind() {
  const MutexLock lock(mutex_);
  mail_.rewind();
}

void Member::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    unwanted_ = true;
  }
  starting_.request_stop();
  asked_.notify_all();
  eventfd_write(woken_.get(), 1);
  changed_();
}

bool Member::finished() const {
  const MutexLock lock(mutex_);
  return over_ && (unwanted_ || mail_.empty());
}

bool Member::stopping() const {
  const MutexLock lock(mutex_);
  return stopped_;
}

std::vector<RankLine> Member::take_lines() {
  const MutexLock lock(mutex_);
  return std::exchange(lines_, {});
}

void Member::post(NoteBody body) {
  {
    const MutexLock lock(mutex_);
    mail_.post(std::move(body), real_clock().monotonic());
  }
  changed_();
}

}  // namespace prefixmem::agent
