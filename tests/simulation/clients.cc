#include "tests/simulation/clients.h"

#include <algorithm>
#include <map>

#include "common/spec/spec_io.h"

namespace prefixmem::simulation {
namespace {

const std::vector<std::string> kTenants = {"default", "a", "b"};
constexpr int64_t kMostRanks = 3;

constexpr const char* kJob = "name: a\nmodel: /m\ntrain: {max_steps: 9, eval_every: 1}\n";
constexpr const char* kData = "data: {train: rows.jsonl, eval: rows.jsonl}\n";
constexpr const char* kHeldOut =
    "data: {train: rows.jsonl, eval: rows.jsonl, holdout: {rows: 2}}\n";
constexpr const char* kGrid = "sweep: {grid: {train.learning_rate: [1e-4, 1e-3, 1e-2, 1e-1]}}\n";

std::string search(const char* kind, int settings = 5, const char* more_keys = "",
                   const char* values = "{type: uniform, low: 0, high: 1}") {
  return fmt::format(
      "sweep: {{search: {}, goal: {{metric: loss, mode: min}}, budget: {{trials: {}}}, seed: 3,"
      " max_concurrent: 2, space: {{train.weight_decay: {}}}, {}}}\n",
      kind, settings, values, more_keys);
}

constexpr const char* kTested = "test: {seeds: 2}, seeds: 2";
constexpr const char* kTunedOnOne =
    "grid: {train.learning_rate: [1e-3, 1e-2]}, tune_on: {train.learning_rate: [1e-3]}, "
    "test: {seeds: 2}";
constexpr const char* kTunedOnBoth =
    "grid: {train.learning_rate: [1e-3, 1e-2]}, tune_on: {train.learning_rate: [1e-3, 1e-2]}, "
    "test: {seeds: 1}";

// Parsed once: a scenario changes only what it draws.
const JobSpec& parsed(const std::string& sweep) {
  static std::map<std::string, JobSpec> known;
  const auto found = known.find(sweep);
  if (found != known.end()) return found->second;
  const bool tested = sweep.find("test:") != std::string::npos;
  return known[sweep] =
             parse_job_spec(kJob + std::string(tested ? kHeldOut : kData) + sweep).value();
}

}  // namespace

JobSpec Clients::draw_spec(const std::string& name) {
  static const std::vector<std::string> kSweeps = {
      "",
      "",
      "",
      "",
      "",
      kGrid,
      search("random"),
      search("random", 3, kTested),
      search("random", 3, kTunedOnOne),
      search("grid", 5, "", "{type: choice, values: [0, 0.1, 0.2]}"),
      search("tpe", 4, kTunedOnBoth),
      search("{type: asha, min_steps: 1, reduction_factor: 2}"),
      search("{type: hyperband, min_steps: 1, reduction_factor: 2}", 4, "seeds: 2"),
      search("{type: pbt, interval: 4}")};
  Random& random = world_.random;
  JobSpec spec = parsed(random.pick(kSweeps));
  spec.name = name;
  spec.train.max_steps = random.chance(0.9) ? random.between(3, 10) : random.between(20, 40);
  spec.train.checkpoint_every = random.between(0, 4);
  spec.train.eval_every = spec.sweep ? random.between(1, 2) : random.between(0, 3);
  spec.train.keep_best = spec.train.eval_every > 0 && random.chance(0.5);
  if (spec.sweep) spec.sweep->seed = random.between(0, 1000);
  spec.resources.ranks = random.between(1, spec.sweep ? 2 : kMostRanks);
  if (random.chance(0.3)) spec.resources.min_ranks = random.between(1, spec.resources.ranks);
  spec.priority = random.chance(0.7) ? 0 : random.between(1, 2);
  if (random.chance(0.2)) spec.resources.bank = Banking::kNever;
  if (random.chance(0.25)) {
    spec.resources.time_limit = fmt::format("{}s", world_.some(20, 150).count() / 1000);
  }
  std::vector<std::string> known;
  for (const auto& [id, facts] : world_.ledger.jobs) known.push_back(id);
  if (!known.empty() && random.chance(0.2)) spec.after = {random.pick(known)};
  return spec;
}

void Clients::ask(const std::function<Status(Coordinator&)>& request,
                  const std::function<void(const Status&)>& done) {
  ++world_.ledger.open_calls;
  network_.call_until_answered(request, [this, done](const Status& status) {
    --world_.ledger.open_calls;
    done(status);
  });
}

void Clients::submit() {
  const size_t submission = sent_.size();
  world_.ledger.submissions.push_back(
      {.key = fmt::format("key-{}", submission), .tenant = world_.random.pick(kTenants)});
  sent_.push_back(draw_spec(fmt::format("job{}", submission)));
  world_.log("client: submits {}{}", sent_.back().name, sent_.back().sweep ? ", a sweep" : "");
  send(sent_.back(), submission);
}

void Clients::submit_again() {
  if (sent_.empty()) return;
  const auto submission =
      static_cast<size_t>(world_.random.between(0, static_cast<int64_t>(sent_.size()) - 1));
  world_.log("client: submits {} again", sent_[submission].name);
  send(sent_[submission], submission);
}

void Clients::send(const JobSpec& spec, size_t submission) {
  const auto response = std::make_shared<v1::SubmitJobResponse>();
  const SubmissionFacts& asked = world_.ledger.submissions[submission];
  ask(
      [spec, key = asked.key, tenant = asked.tenant, response](Coordinator& coordinator) {
        PM_ASSIGN(*response, coordinator.submit(spec, key, tenant));
        return Status();
      },
      [this, submission, response](const Status& status) {
        if (status.ok()) return accept(submission, *response);
        const SubmissionFacts& facts = world_.ledger.submissions[submission];
        if (status.code() == Code::kNotFound && facts.removal_asked) return;
        // Only one that comes after a job that has ended badly, or is gone, may be refused.
        if (sent_[submission].after.empty() || facts.accepted) {
          world_.broken("submission {} is refused: {}", facts.key, status.message());
        }
      });
}

void Clients::accept(size_t submission, const v1::SubmitJobResponse& response) {
  SubmissionFacts& facts = world_.ledger.submissions[submission];
  std::vector<std::string> ids;
  for (const v1::Job& job : response.jobs()) ids.push_back(job.id());
  const bool first = !std::exchange(facts.accepted, true);
  // A search has more trials by now.
  if (!first && (facts.sweep_id != response.sweep_id() || ids.size() < facts.job_ids.size() ||
                 ids.front() != facts.job_ids.front())) {
    world_.broken("submission {} is {} and was {}", facts.key, ids.front(), facts.job_ids.front());
  }
  facts.sweep_id = response.sweep_id();
  facts.job_ids = ids;
  for (const std::string& id : ids) world_.ledger.jobs[id];
  if (!facts.sweep_id.empty()) world_.ledger.sweeps[facts.sweep_id];
}

void Clients::cancel() {
  std::vector<std::string> jobs, sweeps;
  for (const auto& [id, facts] : world_.ledger.jobs) jobs.push_back(id);
  for (const auto& [id, facts] : world_.ledger.sweeps) sweeps.push_back(id);
  if (!sweeps.empty() && world_.random.chance(0.2)) return cancel_sweep(world_.random.pick(sweeps));
  if (!jobs.empty()) cancel_job(world_.random.pick(jobs));
}

void Clients::cancel_job(const std::string& id) {
  world_.log("client: cancels {}", id);
  world_.ledger.jobs[id].cancel_asked = true;
  ask([id](Coordinator& coordinator) { return coordinator.cancel(id).status(); },
      [this, id](const Status& status) {
        if (status.ok()) world_.ledger.jobs[id].cancel_granted = true;
        if (status.ok() || status.code() == Code::kFailedPrecondition) return;
        if (status.code() == Code::kNotFound && may_be_gone(id)) return;
        world_.broken("the cancel of {} is answered: {}", id, status.message());
      });
}

void Clients::cancel_sweep(const std::string& id) {
  world_.log("client: cancels {}", id);
  world_.ledger.sweeps[id].cancel_asked = true;
  ask([id](Coordinator& coordinator) { return coordinator.cancel_sweep(id).status(); },
      [this, id](const Status& status) {
        if (status.ok() || status.code() == Code::kFailedPrecondition) return;
        if (status.code() == Code::kNotFound && may_be_gone(id)) return;
        world_.broken("the cancel of {} is answered: {}", id, status.message());
      });
}

bool Clients::may_be_gone(const std::string& id) const {
  for (const SubmissionFacts& facts : world_.ledger.submissions) {
    const auto& jobs = facts.job_ids;
    const bool its = facts.sweep_id == id || std::find(jobs.begin(), jobs.end(), id) != jobs.end();
    if (its && facts.removal_asked) return true;
  }
  return false;
}

void Clients::remove() {
  std::vector<size_t> all;
  for (size_t i = 0; i < world_.ledger.submissions.size(); ++i) {
    const SubmissionFacts& facts = world_.ledger.submissions[i];
    if (facts.accepted && facts.removal_call == 0 && !facts.removed) all.push_back(i);
  }
  if (all.empty()) return;
  // Where a unit is long, a request may come when its key is known no more, and make a job anew.
  const bool slow = world_.units(1) > std::chrono::minutes(1);
  remove_all_of(world_.random.pick(all), slow || world_.random.chance(0.3));
}

void Clients::remove_all_of(size_t submission, bool files_only) {
  SubmissionFacts& facts = world_.ledger.submissions[submission];
  const bool sweep = !facts.sweep_id.empty();
  const std::string id = sweep ? facts.sweep_id : facts.job_ids.front();
  world_.log("client: removes {}{}", files_only ? "files of " : "", id);
  (files_only ? facts.files_asked : facts.removal_asked) = true;
  const int64_t number = facts.removal_call = ++calls_;
  ask(
      [this, submission, number, id, sweep, files_only](Coordinator& coordinator) {
        SubmissionFacts& now = world_.ledger.submissions[submission];
        if (now.removal_call != number) return Status();  // it comes after its answer
        const Status status = (sweep ? coordinator.remove_sweep(id, files_only)
                                     : coordinator.remove_job(id, files_only))
                                  .status();
        now.removed |= status.ok() && !files_only;  // whatever becomes of the answer
        return status;
      },
      [this, submission, id](const Status& status) {
        SubmissionFacts& after = world_.ledger.submissions[submission];
        after.removal_call = 0;
        if (status.ok() || status.code() == Code::kFailedPrecondition) return;
        if (status.code() != Code::kNotFound || !after.removal_asked) {
          world_.broken("the removal of {} is answered: {}", id, status.message());
        }
        after.removed = true;  // it was asked before, and the answer was lost
      });
}

void Clients::pin() {
  std::vector<std::string> jobs;
  for (const auto& [id, facts] : world_.ledger.jobs) {
    if (facts.pin_call == 0) jobs.push_back(id);
  }
  if (jobs.empty()) return;
  const std::string id = world_.random.pick(jobs);
  JobFacts& facts = world_.ledger.jobs[id];
  const bool pinned = !facts.pinned.value_or(true);
  world_.log("client: {} {}", pinned ? "pins" : "unpins", id);
  facts.pinned.reset();
  const int64_t number = facts.pin_call = ++calls_;
  ask(
      [&facts, id, number, pinned](Coordinator& coordinator) {
        if (facts.pin_call != number) return Status();  // it comes after its answer
        return coordinator.pin_job(id, pinned).status();
      },
      [this, &facts, id, pinned](const Status& status) {
        const bool gone = status.code() == Code::kNotFound && may_be_gone(id);
        facts.pin_call = 0;
        facts.pinned = pinned && !gone;
        if (status.ok() || gone) return;
        world_.broken("the pin of {} is answered: {}", id, status.message());
      });
}

void Clients::cordon(const std::string& worker, bool drain) {
  world_.log("operator: {} {}", drain ? "drains" : "cordons", worker);
  operate(worker, true, [worker, drain](Coordinator& coordinator) {
    return (drain ? coordinator.drain(worker) : coordinator.cordon(worker)).status();
  });
}

void Clients::uncordon(const std::string& worker) {
  operate(worker, false,
          [worker](Coordinator& coordinator) { return coordinator.uncordon(worker).status(); });
}

// Each job fits into any quota, so that none is refused and all come to their end.
void Clients::set_quota() {
  Random& random = world_.random;
  v1::SetTenantRequest request;
  request.set_tenant(random.pick(kTenants));
  request.set_weight(static_cast<int>(random.between(1, 3)));
  if (random.chance(0.7)) {
    request.mutable_quota()->set_slots(static_cast<int>(random.between(kMostRanks, 5)));
  }
  world_.log("operator: sets {}", request.ShortDebugString());
  ask([request](Coordinator& coordinator) { return coordinator.set_tenant(request).status(); },
      [this, request](const Status& status) {
        if (status.ok()) return;
        world_.broken("the quota of tenant {} is refused: {}", request.tenant(), status.message());
      });
}

// One call of a worker at a time, so that it is known which counts.
void Clients::operate(const std::string& worker, bool cordoned,
                      const std::function<Status(Coordinator&)>& request) {
  WorkerFacts& facts = world_.ledger.workers[worker];
  if (facts.operator_call != 0) {
    return world_.timeline.after(
        world_.units(3), [this, worker, cordoned, request] { operate(worker, cordoned, request); });
  }
  const int64_t number = facts.operator_call = ++calls_;
  ask(
      [&facts, number, request](Coordinator& coordinator) {
        // One that comes after its answer might undo the next.
        return facts.operator_call == number ? request(coordinator) : Status();
      },
      [this, &facts, worker, cordoned](const Status& status) {
        facts.operator_call = 0;
        if (status.ok()) facts.cordoned = cordoned;
        if (status.ok()) return;
        if (status.code() == Code::kNotFound) {
          // One that is not cordoned is forgotten when it leaves; the first answer may be lost.
          if (cordoned && facts.cordoned.value_or(false)) {
            world_.broken("worker {} is cordoned and not known", worker);
          }
          facts.cordoned = false;
          return;
        }
        world_.broken("an operator of {} is answered: {}", worker, status.message());
      });
}

}  // namespace prefixmem::simulation
