#include "worker/trainer/train/run.h"

#include <cstdio>
#include <optional>

#include "worker/trainer/collective/backends.h"
#include "worker/trainer/train/bank.h"
#include "worker/trainer/train/guard.h"
#include "worker/trainer/train/report.h"
#include "worker/trainer/train/stop_signal.h"

namespace prefixmem::trainer {
namespace {

Result<std::vector<TrialFiles>> trials_of(const RunOptions& options) {
  if (options.bank.empty()) return std::vector{options.job};
  return read_bank_file(options.bank);
}

Status join_gang(const RunOptions& options, Base& base, std::optional<Bank>& bank) {
  const int rank = launched_rank();
  install_stop_signals();
  base.cache = options.cache;
  base.memory = options.memory;
  if (started_by_mpi() || !options.events.empty()) die_with_parent();
  base.sink = make_console_sink(rank);
  if (!options.events.empty()) {
    PM_ASSIGN(base.sink, connect_event_sink(options.events, rank, base.requests));
  }
  const auto trials = trials_of(options);
  if (trials.ok()) bank.emplace(base, *trials, !options.bank.empty());
  CollectiveOptions gang;
  gang.device = bank ? bank->device() : Device::kCpu;
  gang.on_stall = [&base, rank](const Status& status) {
    report_failure(base.sink.get(), TrialEvent::kWholeGang, {rank, status}, true);
  };
  PM_ASSIGN(base.gang, make_collective(gang));
  return base.agree(trials.status());
}

// Of a failure of the gang.
void report(const Base& base, const Status& status) {
  const int rank = launched_rank();
  const bool alone = !base.agreement.failed_together();
  if (!alone && rank > 0) return;
  report_failure(base.sink.get(), TrialEvent::kWholeGang, {rank, status}, alone && rank > 0);
  if (base.gang && alone) base.gang->abort(exit_code(status));
}

// Nobody leaves before rank 0 has told a failure, nor while another needs its part of the base.
void part(const Base& base) {
  if (!base.gang) return;
  const Status parted = base.gang->barrier();
  if (!parted.ok()) std::fprintf(stderr, "pmt-trainer: %s\n", parted.message().c_str());
}

}  // namespace

int run_trainer(const RunOptions& options) {
  Base base;
  std::optional<Bank> bank;
  Status status = torch_guarded([&] {
    PM_TRY(join_gang(options, base, bank));
    return bank->run();
  });
  if (!status.ok()) {
    report(base, status);
  } else if (options.bank.empty()) {
    status = bank->end_of(0);
  }
  part(base);
  return exit_code(status);
}

}  // namespace prefixmem::trainer
