#include "tests/simulation/invariants.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "common/proto/job_state.h"
#include "common/proto/ranks.h"
#include "common/proto/spec_proto.h"
#include "tests/simulation/attempt.h"

namespace prefixmem::simulation {
namespace {

template <class T>
T must(Result<T> result, World& world, const char* what) {
  if (result.ok()) return std::move(result).value();
  world.broken("the store does not read {}: {}", what, result.status().message());
  return {};
}

// Slots of a worker that the gangs of its placed attempts hold.
std::map<std::string, int> slots_in_use(const Live& live) {
  std::set<std::string> counted;  // gangs
  std::map<std::string, int> slots;
  for (const auto& [id, job] : live.jobs) {
    if (!job.attempt || !counted.insert(job.attempt->gang).second) continue;
    for (const auto& seat : seats_of(job)) slots[seat.worker_id] += seat.ranks;
  }
  return slots;
}

// Slots that the gangs of each tenant hold.
std::map<std::string, int> slots_of_tenants(const Live& live) {
  std::set<std::string> counted;  // gangs
  std::map<std::string, int> slots;
  for (const auto& [id, job] : live.jobs) {
    if (!job.attempt || !counted.insert(job.attempt->gang).second) continue;
    slots[auth::tenant_of(job.record.job)] += job.record.job.ranks();
  }
  return slots;
}

int fewest_ranks(const v1::Job& job) {
  return static_cast<int>(prefixmem::fewest_ranks(job.spec().resources()));
}

// Settings of a search that nothing cuts short; a population has as many in each generation.
int64_t settings_of(const v1::JobSpec& spec) {
  const v1::SweepSpec& asked = spec.sweep();
  int64_t values = 1;  // of a grid's space
  for (const auto& [path, axis] : asked.space()) values *= axis.choice().values().values_size();
  if (asked.search().has_grid()) return std::min(asked.budget().trials(), values);
  if (!asked.search().has_pbt()) return asked.budget().trials();
  const int64_t interval = asked.search().pbt().interval();
  return asked.budget().trials() * ((spec.train().max_steps() + interval - 1) / interval);
}

// At most, in all searches.
int64_t trials_of(const v1::JobSpec& spec, const sweep::SweepPlan& plan) {
  int64_t trials = 0;
  for (const sweep::Search& search : plan.searches) {
    trials += settings_of(spec) * static_cast<int64_t>(search.tried.size());
    trials += static_cast<int64_t>(search.tested.size());
  }
  return trials;
}

bool succeeded(const v1::Job& job) { return job.state() == v1::JOB_STATE_SUCCEEDED; }

// The newest value that a trial has reported; what it reports is to be small.
double loss_of(const v1::Job& trial) {
  const auto& evals = trial.progress().evals();
  const auto newest = std::max_element(
      evals.begin(), evals.end(), [](const auto& a, const auto& b) { return a.step() < b.step(); });
  return newest == evals.end() ? std::numeric_limits<double>::quiet_NaN() : newest->value();
}

// Of trials of one setting: the mean over combinations of the means over seeds of those that have
// succeeded; none where a combination has none.
std::optional<double> mean_loss(const std::vector<const v1::Job*>& trials) {
  std::map<int, std::vector<double>> losses;  // by combination
  for (const v1::Job* trial : trials) {
    std::vector<double>& there = losses[trial->trial().combination()];
    if (succeeded(*trial)) there.push_back(loss_of(*trial));
  }
  double sum = 0;
  for (const auto& [combination, values] : losses) {
    if (values.empty()) return std::nullopt;
    sum += std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
  return sum / static_cast<double>(losses.size());
}

v1::Quota quota_of(const Live& live, const std::string& tenant) {
  const auto found = live.tenants.find(tenant);
  return found == live.tenants.end() ? v1::Quota() : found->second.record.tenant.quota();
}

}  // namespace

// ---- at every moment

// What was not committed is forgotten, and may be decided anew.
void Invariants::after_start(Coordinator& coordinator) {
  seen_.clear();
  coordinator.inspect([&](const Live& live) {
    held_ = slots_of_tenants(live);
    for (const auto& [id, job] : live.jobs) {
      seen_[id] = {job.record.job.attempt(), job.record.last_event};
    }
    check_gangs(live);
    check_sweeps(live);
    check_cordons(live);
  });
}

void Invariants::after_call(Coordinator& coordinator) {
  coordinator.inspect([&](const Live& live) {
    check_gangs(live);
    check_starts(live, coordinator.reader());
    check_quotas(live);
    check_sweeps(live);
    check_cordons(live);
  });
}

void Invariants::after_tick(Coordinator& coordinator, const FreshLoad& load) {
  after_call(coordinator);
  coordinator.inspect([&](const Live& live) {
    check_head_of_queue(live);
    check_queue(live);
    check_new_events(live, coordinator.reader());
  });
  if (!world_.random.chance(0.05)) return;
  const auto fresh = load();
  if (!fresh.ok()) {
    return world_.broken("what the store holds cannot be loaded: {}", fresh.status().message());
  }
  (*fresh)->inspect([&](const Live& stored) {
    coordinator.inspect([&](const Live& memory) { check_same(memory, stored); });
  });
}

// No slot is given twice, no gang is spread or cut.
void Invariants::check_gangs(const Live& live) {
  for (const auto& [worker, slots] : slots_in_use(live)) {
    const auto found = live.workers.find(worker);
    const int has = found == live.workers.end() ? 0 : found->second.info.slots();
    if (slots > has) world_.broken("worker {} of {} slots is given {}", worker, has, slots);
  }
  std::map<std::string, const LiveJob*> first_of;
  for (const auto& [id, job] : live.jobs) {
    const v1::JobState state = job.record.job.state();
    const bool placed = state == v1::JOB_STATE_STARTING || state == v1::JOB_STATE_RUNNING;
    if (placed != job.attempt.has_value()) {
      world_.broken("{} is {} and has {} attempt", id, state_name(state),
                    job.attempt ? "an" : "no");
    }
    if (!job.attempt) continue;
    const LiveJob& first = *first_of.emplace(job.attempt->gang, &job).first->second;
    if (first.attempt->worker_id != job.attempt->worker_id ||
        first.record.job.ranks() != job.record.job.ranks()) {
      world_.broken("gang {} is on workers {} and {}", job.attempt->gang, first.attempt->worker_id,
                    job.attempt->worker_id);
    }
  }
}

// A job starts on a worker that takes work, after those that it comes after.
void Invariants::check_starts(const Live& live, store::Reader& reader) {
  for (const auto& [id, job] : live.jobs) {
    Seen& seen = seen_[id];
    if (job.record.job.attempt() == seen.attempt) continue;
    if (job.record.job.attempt() != seen.attempt + 1) {
      world_.broken("{} goes from attempt {} to {}", id, seen.attempt, job.record.job.attempt());
    }
    seen.attempt = job.record.job.attempt();
    if (!job.attempt) continue;
    int ranks = 0;
    for (const auto& seat : seats_of(job)) {
      ranks += seat.ranks;
      const auto found = live.workers.find(seat.worker_id);
      if (found == live.workers.end() || !found->second.link || found->second.lost() ||
          found->second.draining || found->second.info.cordoned()) {
        world_.broken("{} starts on worker {}, which takes no work", id, seat.worker_id);
      }
    }
    const v1::Job& shown = job.record.job;
    const int64_t most = shown.spec().resources().ranks();
    if (ranks != shown.ranks() || ranks < fewest_ranks(shown) || ranks > most) {
      world_.broken("{} starts with {} of its {} ranks, {} to {} of which will do", id, ranks,
                    shown.ranks(), fewest_ranks(shown), most);
    }
    for (const std::string& before : job.record.job.spec().after()) {
      const auto other = must(reader.job(before), world_, "a job");
      if (!other || other->state() != v1::JOB_STATE_SUCCEEDED) {
        world_.broken("{} starts before {} has succeeded", id, before);
      }
    }
  }
}

// Nothing starts beyond the quota of its tenant; what runs when a quota is lowered goes on.
void Invariants::check_quotas(const Live& live) {
  auto held = slots_of_tenants(live);
  for (const auto& [tenant, slots] : held) {
    const v1::Quota quota = quota_of(live, tenant);
    if (!quota.has_slots() || slots <= std::max(quota.slots(), held_[tenant])) continue;
    world_.broken("tenant {} holds {} slots, its quota is {}", tenant, slots, quota.slots());
  }
  held_ = std::move(held);
}

// Whoever is next starts as soon as it fits, whoever is behind it. Where a job waits for the quota
// of its tenant, others of the tenant may too.
void Invariants::check_head_of_queue(const Live& live) {
  using Turn = std::tuple<int64_t, bool, int64_t, int64_t>;
  std::map<Turn, const LiveJob*> queue;
  for (const auto& [id, job] : live.jobs) {
    if (job.attempt || !job.after.empty()) continue;
    queue[{-job.record.job.spec().priority(), job.turn == 0, job.turn, job.record.seq}] = &job;
  }
  const LiveJob* head = nullptr;
  auto held = slots_of_tenants(live);
  std::set<std::string> at_quota;
  for (auto at = queue.begin(); at != queue.end() && head == nullptr; ++at) {
    const v1::Job& job = at->second->record.job;
    const std::string tenant = auth::tenant_of(job);
    const v1::Quota quota = quota_of(live, tenant);
    if (quota.has_slots() && held[tenant] + fewest_ranks(job) > quota.slots())
      at_quota.insert(tenant);
    if (!at_quota.contains(tenant)) head = at->second;
  }
  if (head == nullptr) return;
  int largest = 0, together = 0;
  auto used = slots_in_use(live);
  for (const auto& [id, worker] : live.workers) {
    const bool takes = worker.link && !worker.lost() && !worker.draining && !worker.info.cordoned();
    const int free = worker.info.slots() - used[id];
    if (!worker.lost()) largest = std::max(largest, worker.info.slots());
    together += takes ? std::max(free, 0) : 0;
    if (takes && free >= fewest_ranks(head->record.job)) {
      world_.broken("{} is next and waits although worker {} has {} slots free",
                    head->record.job.id(), id, free);
    }
  }
  const int ranks = fewest_ranks(head->record.job);
  if (ranks > largest && together >= ranks) {
    world_.broken("{} of {} ranks is next and waits although {} slots are free on all workers",
                  head->record.job.id(), ranks, together);
  }
}

// What placing looks at is what the jobs say.
void Invariants::check_queue(const Live& live) {
  size_t waiting_jobs = 0;
  for (const auto& [id, job] : live.jobs) {
    const bool on_worker = job.attempt && live.on(job.attempt->worker_id).contains(id);
    if (on_worker != job.attempt.has_value()) world_.broken("{} is on no worker", id);
    const scheduler::Job* seen = live.queue.find(id);
    waiting_jobs += seen == nullptr ? 0 : 1;
    if (live.moved.contains(id)) continue;
    if (waits_for_slots(job) ? seen == nullptr || *seen != waiting(job) : seen != nullptr) {
      world_.broken("{} is another in the queue than it is", id);
    }
  }
  for (const std::string& id : live.moved) {
    waiting_jobs += !live.jobs.contains(id) && live.queue.find(id) != nullptr ? 1 : 0;
  }
  if (waiting_jobs != live.queue.size()) world_.broken("the queue holds jobs that are gone");
  size_t placed = 0;
  for (const auto& [worker, jobs] : live.placed) placed += jobs.size();
  size_t seats = 0;
  for (const auto& [id, job] : live.jobs) seats += job.attempt ? seats_of(job).size() : 0;
  if (placed != seats) world_.broken("jobs are on workers that are not placed");
}

// Trials are numbered without gaps, no more than may be at once or in all.
void Invariants::check_sweeps(const Live& live) {
  for (const auto& [id, sweep] : live.sweeps) {
    int64_t open = 0;
    int number = 0;
    for (const sweep::Run& run : sweep.record.runs()) {
      if (run.number != ++number)
        world_.broken("{} has trial {} as its {}th", id, run.number, number);
      open += run.state == sweep::TrialState::kOpen ? 1 : 0;
    }
    if (!sweep.is_search()) continue;
    const SweepSpec& asked = sweep.plan.sweep;
    const int64_t most = trials_of(sweep.shown.spec(), sweep.plan);
    if (open > asked.max_concurrent || number > most) {
      world_.broken("{} has begun {} trials of {}, {} of at most {} are open", id, number, most,
                    open, asked.max_concurrent);
    }
  }
}

// What an operator was told is kept.
void Invariants::check_cordons(const Live& live) {
  for (const auto& [id, facts] : world_.ledger.workers) {
    if (!facts.cordoned || facts.operator_call != 0) continue;
    const auto found = live.workers.find(id);
    const bool cordoned = found != live.workers.end() && found->second.info.cordoned();
    if (cordoned != *facts.cordoned) {
      world_.broken("worker {} is {}cordoned, an operator was told otherwise", id,
                    cordoned ? "" : "not ");
    }
  }
}

// Numbers go on one by one, in the store as in memory.
void Invariants::check_new_events(const Live& live, store::Reader& reader) {
  for (const auto& [id, job] : live.jobs) {
    Seen& seen = seen_[id];
    if (job.record.last_event == seen.events) continue;
    const auto events = must(reader.events(id, seen.events + 1, 10000), world_, "events");
    for (const v1::JobEvent& event : events) {
      if (event.number() != ++seen.events) {
        world_.broken("{} has event {} after {}", id, event.number(), seen.events - 1);
      }
    }
    if (seen.events != job.record.last_event) {
      world_.broken("{} has {} events in the store and {} in memory", id, seen.events,
                    job.record.last_event);
    }
  }
}

void Invariants::check_same(const Live& memory, const Live& stored) {
  const auto same_message = [](const google::protobuf::Message& a,
                               const google::protobuf::Message& b) {
    return google::protobuf::util::MessageDifferencer::Equals(a, b);
  };
  if (memory.jobs.size() != stored.jobs.size() || memory.sweeps.size() != stored.sweeps.size() ||
      memory.workers.size() != stored.workers.size()) {
    world_.broken("memory holds {} jobs, {} sweeps, {} workers, the store {}, {}, {}",
                  memory.jobs.size(), memory.sweeps.size(), memory.workers.size(),
                  stored.jobs.size(), stored.sweeps.size(), stored.workers.size());
  }
  for (const auto& [id, job] : memory.jobs) {
    const auto found = stored.jobs.find(id);
    if (found == stored.jobs.end()) return world_.broken("{} is in memory alone", id);
    const LiveJob& other = found->second;
    const auto record = [](const LiveJob& of) {
      const store::JobRecord& r = of.record;
      return std::tuple(r.seq, r.retries, r.stop.to_string(), r.last_event, r.steps_timed,
                        r.step_seconds, r.furthest_step, r.run_time, r.bank_limit, r.job.state(),
                        r.job.reason(), r.job.attempt(), r.job.worker_id(), r.job.gang(),
                        r.job.gang_jobs(), of.after);
    };
    const auto attempt = [](const LiveJob& of) {
      const store::AttemptRecord none;
      const store::AttemptRecord& a = of.attempt ? *of.attempt : none;
      return std::tuple(of.attempt.has_value(), a.attempt, a.worker_id, a.gang, a.last_event,
                        a.start);
    };
    if (record(job) != record(other) || attempt(job) != attempt(other) ||
        !same_message(job.record.job, other.record.job)) {
      world_.broken("{} is another in memory than in the store", id);
    }
    if (memory.deadlines.contains(id) != stored.deadlines.contains(id)) {
      world_.broken("{} has a time limit in one of memory and store", id);
    }
  }
  for (const auto& [name, tenant] : stored.tenants) {
    const auto found = memory.tenants.find(name);
    if (found == memory.tenants.end() || found->second.queued != tenant.queued ||
        !same_message(found->second.record.tenant, tenant.record.tenant)) {
      world_.broken("tenant {} is another in memory than in the store", name);
    }
  }
  for (const auto& [id, worker] : memory.workers) {
    const auto found = stored.workers.find(id);
    if (found == stored.workers.end() || !same_message(worker.info, found->second.info)) {
      world_.broken("worker {} is another in memory than in the store", id);
    }
  }
  for (const auto& [id, sweep] : memory.sweeps) {
    const auto found = stored.sweeps.find(id);
    if (found == stored.sweeps.end()) return world_.broken("{} is in memory alone", id);
    const auto runs = [](const LiveSweep& of) {
      std::vector<std::tuple<int, int, sweep::TrialState, size_t, size_t, int64_t>> all;
      for (const sweep::Run& run : of.record.runs()) {
        all.emplace_back(run.number, run.candidate, run.state, run.reports.size(), run.rungs.size(),
                         run.tokens);
      }
      return all;
    };
    if (!same_message(sweep.shown, found->second.shown) || runs(sweep) != runs(found->second)) {
      world_.broken("{} is another in memory than in the store", id);
    }
  }
}

void Invariants::on_said(Coordinator& coordinator, const std::string& worker,
                         const v1::CoordinatorMessage& message) {
  const auto stored = [&](const v1::AttemptId& id) {
    return must(coordinator.reader().attempt(id.job_id(), id.attempt()), world_, "an attempt");
  };
  const auto is_current = [&](const std::optional<store::AttemptRecord>& attempt,
                              const std::string& head) {
    return attempt && !attempt->end && attempt->worker_id == head;
  };
  if (message.has_assign()) {
    const auto& hosts = message.assign().hosts();
    const std::string& head = hosts.empty() ? worker : hosts[0].worker_id();
    for (const v1::AssignedAttempt& one : message.assign().attempts()) {
      if (is_current(stored(one.id()), head)) continue;
      world_.broken("attempt {} of {} is assigned and not in the store", one.id().attempt(),
                    one.id().job_id());
    }
  } else if (message.has_events_acknowledged()) {
    const auto& told = message.events_acknowledged();
    const auto attempt = stored(told.id());
    if (!is_current(attempt, worker)) return;
    if (attempt->last_event < told.up_to_number()) {
      world_.broken("events of {} up to {} are acknowledged and not in the store",
                    told.id().job_id(), told.up_to_number());
    }
    auto& facts = world_.ledger.attempts[{told.id().job_id(), told.id().attempt()}];
    facts.acknowledged = std::max(facts.acknowledged, told.up_to_number());
  } else if (message.has_end_acknowledged() &&
             is_current(stored(message.end_acknowledged().id()), worker)) {
    world_.broken("the end of {} is acknowledged and not in the store",
                  message.end_acknowledged().id().job_id());
  }
}

// ---- at the end

void Invariants::at_end(Coordinator& coordinator) {
  store::Reader& reader = coordinator.reader();
  std::vector<v1::Job> jobs;
  int64_t before = 0;
  do {
    auto page = must(reader.list({.before_seq = before}, 1000), world_, "jobs");
    std::move(page.jobs.begin(), page.jobs.end(), std::back_inserter(jobs));
    before = page.next_seq;
  } while (before != 0);
  check_submissions(jobs);
  for (const v1::Job& job : jobs) check_ended_job(job, coordinator);
  for (const auto& sweep : must(reader.sweeps(0, 10000), world_, "sweeps").sweeps) {
    check_ended_sweep(sweep, reader);
  }
  world_.ledger.jobs_ended += static_cast<int64_t>(jobs.size());
}

// A submission makes its jobs once, however often it was asked for.
void Invariants::check_submissions(const std::vector<v1::Job>& jobs) {
  std::set<std::string> names;
  std::map<std::string, std::string> tenants;  // by job
  for (const v1::Job& job : jobs) {
    tenants[job.id()] = job.tenant();
    if (!names.insert(job.name()).second) world_.broken("there are two jobs {}", job.name());
  }
  for (const SubmissionFacts& submission : world_.ledger.submissions) {
    for (const std::string& id : submission.job_ids) {
      const auto found = tenants.find(id);
      if (submission.removed) {
        if (found != tenants.end()) world_.broken("{} was removed and is there", id);
        if (world_.ledger.jobs[id].pinned == true) world_.broken("{} was removed, pinned", id);
      } else if (found == tenants.end()) {
        if (!submission.removal_asked) world_.broken("{} was promised and is not there", id);
      } else if (found->second != submission.tenant) {
        world_.broken("{} is of tenant {}, not of {}", id, found->second, submission.tenant);
      }
    }
  }
}

void Invariants::check_ended_job(const v1::Job& job, Coordinator& coordinator) {
  if (!has_ended(job.state())) {
    return world_.broken("{} has not ended: {}: {}", job.id(), state_name(job.state()),
                         job.reason());
  }
  const auto events = must(coordinator.reader().events(job.id(), 1, 100000), world_, "events");
  check_history(job, events);
  check_training(job, events);
  if (job.pinned() != world_.ledger.jobs[job.id()].pinned) {
    world_.broken("{} is {}pinned", job.id(), job.pinned() ? "" : "not ");
  }
  if (job.state() == v1::JOB_STATE_SUCCEEDED) check_progress(job);
  if (job.has_files_remove_time()) return check_no_files(job, coordinator.reader());
  if (job.state() == v1::JOB_STATE_SUCCEEDED) check_files(job, coordinator);
}

// From its events alone: numbers without gaps, states in an order that may be, each attempt's
// events those that its worker told, none of which was acknowledged is missing.
void Invariants::check_history(const v1::Job& job, const std::vector<v1::JobEvent>& events) {
  int64_t number = 0;
  int attempt = 0, retries = 0;
  bool placed = false;
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  std::map<int, size_t> told;  // events by attempt
  for (const v1::JobEvent& event : events) {
    if (event.number() != ++number) world_.broken("{} has no event {}", job.id(), number);
    if (has_ended(state)) world_.broken("{} has event {} after its end", job.id(), number);
    if (event.has_trainer()) {
      const auto facts = world_.ledger.attempts.find({job.id(), event.attempt()});
      const size_t index = told[event.attempt()]++;
      if (!placed || event.attempt() != attempt || facts == world_.ledger.attempts.end() ||
          index >= facts->second.told.size() ||
          facts->second.told[index] != event.trainer().SerializeAsString()) {
        world_.broken("event {} of {} is not the {}th that its attempt {} told", number, job.id(),
                      index + 1, event.attempt());
      }
      continue;
    }
    const std::string& reason = event.state().reason();
    state = event.state().state();
    switch (state) {
      case v1::JOB_STATE_QUEUED:
        if (placed && reason.find("; retry ") != std::string::npos) {
          ++retries;
          if (reason.find(fmt::format("; retry {} of 3", retries)) == std::string::npos) {
            world_.broken("{} was tried again {} times and says: {}", job.id(), retries, reason);
          }
        } else if (placed && reason.find("; queued again") == std::string::npos) {
          world_.broken("{} went back into the queue: {}", job.id(), reason);
        }
        placed = false;
        break;
      case v1::JOB_STATE_STARTING:
        if (!placed && event.attempt() != ++attempt) {
          world_.broken("{} starts attempt {} as its {}th", job.id(), event.attempt(), attempt);
        }
        placed = true;
        break;
      case v1::JOB_STATE_RUNNING:
        if (!placed) world_.broken("{} runs and was not started", job.id());
        break;
      default:
        break;
    }
  }
  if (state != job.state()) {
    world_.broken("{} is {}, its last event says {}", job.id(), state_name(job.state()),
                  state_name(state));
  }
  for (int i = 1; i <= job.attempt(); ++i) {
    const auto facts = world_.ledger.attempts.find({job.id(), i});
    if (facts != world_.ledger.attempts.end() &&
        static_cast<size_t>(facts->second.acknowledged) > told[i]) {
      world_.broken("{} events of attempt {} of {} were acknowledged, {} are there",
                    facts->second.acknowledged, i, job.id(), told[i]);
    }
  }
  check_cause(job, retries);
}

// Every step is there; one is done again only after a move, and never one before a checkpoint.
void Invariants::check_training(const v1::Job& job, const std::vector<v1::JobEvent>& events) {
  const auto& train = job.spec().train();
  int attempt = 0;
  int64_t last = train.has_continue_from() ? step_of(train.continue_from()) : 0;
  int64_t checkpoint = last, furthest = last;
  for (const v1::JobEvent& event : events) {
    const v1::ArtifactEvent& artifact = event.trainer().artifact();
    if (artifact.kind() == "checkpoint") checkpoint = std::max(checkpoint, artifact.step());
    if (!event.trainer().has_step()) continue;
    const int64_t step = event.trainer().step().step();
    const bool first = std::exchange(attempt, event.attempt()) != event.attempt();
    const bool follows = first ? step > checkpoint && step <= furthest + 1 : step == last + 1;
    if (!follows) {
      world_.broken("{} does step {} in attempt {} after step {}, checkpoint {}", job.id(), step,
                    attempt, last, checkpoint);
    }
    last = step;
    furthest = std::max(furthest, step);
  }
  if (job.state() == v1::JOB_STATE_SUCCEEDED && last != job.spec().train().max_steps()) {
    world_.broken("{} has succeeded after step {} of {}", job.id(), last,
                  job.spec().train().max_steps());
  }
}

// Each end has its cause.
void Invariants::check_cause(const v1::Job& job, int retries) {
  const auto found = world_.ledger.attempts.find({job.id(), job.attempt()});
  const AttemptFacts facts = found == world_.ledger.attempts.end() ? AttemptFacts() : found->second;
  const auto says = [&](const char* what) { return job.reason().find(what) != std::string::npos; };
  const JobFacts asked = world_.ledger.jobs[job.id()];
  bool caused = false;
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      caused = facts.end == "OK";
      break;
    case v1::JOB_STATE_FAILED:
      if (job.failure_code() == "UNAVAILABLE") {
        caused = retries == 3 && says("given up after 3 retries");
      } else {
        caused = job.failure_code() == facts.failure ||
                 (says("the time limit of") && job.spec().resources().has_time_limit());
      }
      break;
    default:
      caused = asked.cancel_asked || says("which it comes after") || says("stopped by its sweep") ||
               world_.ledger.sweeps[job.sweep_id()].cancel_asked;
  }
  if (asked.cancel_granted && job.state() == v1::JOB_STATE_FAILED) caused = false;
  if (caused) return;
  world_.broken("{} ended without a cause: {} {}: {}; its worker told {}, it met {}", job.id(),
                state_name(job.state()), job.failure_code(), job.reason(), facts.end,
                facts.failure);
}

void Invariants::check_no_files(const v1::Job& job, store::Reader& reader) {
  const auto& submissions = world_.ledger.submissions;
  const bool asked = std::any_of(submissions.begin(), submissions.end(), [&](const auto& facts) {
    const bool its = facts.sweep_id.empty() ? facts.job_ids == std::vector{job.id()}
                                            : facts.sweep_id == job.sweep_id();
    return (facts.files_asked || facts.removal_asked) && its;
  });
  if (!asked) world_.broken("{} has lost its files", job.id());
  if (!must(reader.artifacts(job.id()), world_, "artifacts").empty()) {
    world_.broken("{} has files that were removed", job.id());
  }
}

void Invariants::check_files(const v1::Job& job, Coordinator& coordinator) {
  store::Reader& reader = coordinator.reader();
  const auto content = [&](const std::string& path) -> std::string {
    const auto newest = must(reader.newest_version(job.id(), path), world_, "an artifact");
    if (!newest) return "no " + path;
    auto blob = coordinator.blobs().read(newest->sha256());
    const auto bytes =
        blob.ok() ? (*blob)->read(size_t{1} << 20) : Result<std::string>(blob.status());
    return bytes.ok() ? *bytes : bytes.status().message();
  };
  const auto& train = job.spec().train();
  const int64_t first = train.has_continue_from() ? step_of(train.continue_from()) : 0;
  const std::string every_step = metrics_of(first, train.max_steps());
  if (content("metrics.jsonl") != every_step || content("result.json") != "result of " + job.id()) {
    world_.broken("{} has succeeded, its files are not those of {} steps", job.id(),
                  job.spec().train().max_steps());
  }
  const Plan plan = plan_of(to_yaml(must(job_spec_from_proto(job.spec()), world_, "a spec")));
  const int64_t best = best_step(job.id(), plan, plan.steps);
  const int64_t kept = job.progress().best_adapter_step();
  if (kept != best ||
      (best > 0 && content(best_adapter_path(best)) != best_adapter_of(job.id(), best))) {
    world_.broken("{} has succeeded, its best adapter is not that of step {} but of {}", job.id(),
                  best, kept);
  }
}

// As without any fault.
void Invariants::check_progress(const v1::Job& job) {
  const auto& train = job.spec().train();
  const v1::JobProgress& found = job.progress();
  if (found.state_digest() != state_digest_of(train.max_steps())) {
    world_.broken("{} has succeeded, its digest is of the state after step {}", job.id(),
                  found.state_step());
  }
  const int64_t first = train.has_continue_from() ? step_of(train.continue_from()) : 0;
  v1::JobProgress expected;
  expected.set_step(train.max_steps());
  expected.set_total_steps(train.max_steps());
  expected.set_tokens(kTokensOfStep * (train.max_steps() - first));
  expected.set_state_step(train.max_steps());
  const int64_t every = train.eval_every();
  for (int64_t step = first + 1; every > 0 && step <= train.max_steps(); ++step) {
    if (step % every != 0) continue;
    v1::EvalEvent& eval = *expected.add_evals();
    eval.set_step(step);
    eval.set_metric("loss");
    eval.set_value(loss_of(job.id(), step));
  }
  v1::JobProgress told;
  told.set_step(found.step());
  told.set_total_steps(found.total_steps());
  told.set_tokens(found.tokens());
  told.set_state_step(found.state_step());
  *told.mutable_evals() = found.evals();
  if (told.SerializeAsString() == expected.SerializeAsString()) return;
  world_.broken("{} has succeeded with {} in place of {}", job.id(), told.ShortDebugString(),
                expected.ShortDebugString());
}

// No trial is lost or repeated.
void Invariants::check_ended_sweep(const v1::Sweep& sweep, store::Reader& reader) {
  if (sweep.state() == v1::SWEEP_STATE_RUNNING) {
    return world_.broken("{} has not ended: {}", sweep.id(), sweep.reason());
  }
  std::set<std::tuple<int, int, int, bool>> jobs;
  int number = 0;
  const auto trials = must(reader.trials(sweep.id()), world_, "trials");
  for (const v1::Job& job : trials) {
    check_parent(job, trials);
    const v1::Trial& trial = job.trial();
    if (trial.number() != ++number) {
      world_.broken("{} has trial {} as its {}th", sweep.id(), trial.number(), number);
    }
    const std::tuple key(trial.candidate(), trial.combination(), trial.seed_index(), trial.test());
    if (trial.candidate() > 0 && !jobs.insert(key).second) {
      world_.broken("{} tries setting {} twice", sweep.id(), trial.candidate());
    }
  }
  const bool whole = sweep.state() == v1::SWEEP_STATE_FINISHED &&
                     sweep.reason().find("no member of a population") == std::string::npos &&
                     !world_.ledger.sweeps[sweep.id()].cancel_asked;
  if (!whole || sweep.spec().sweep().space().empty()) return;
  const auto plan = sweep::plan_of(job_spec_from_proto(sweep.spec()).value()).value();
  for (size_t i = 0; i < plan.searches.size(); ++i) {
    std::vector<const v1::Job*> its;
    for (const v1::Job& job : trials) {
      if (plan.search_of.at(job.trial().combination()) == i) its.push_back(&job);
    }
    check_whole_search(sweep, plan.searches[i], its);
  }
}

// Nor forgotten: of each search every setting is there, in all its jobs, and what it has found is
// tested.
void Invariants::check_whole_search(const v1::Sweep& sweep, const sweep::Search& search,
                                    const std::vector<const v1::Job*>& trials) {
  std::map<int, std::vector<const v1::Job*>> tries;
  std::vector<const v1::Job*> tests;
  for (const v1::Job* job : trials) {
    (job->trial().test() ? tests : tries[job->trial().candidate()]).push_back(job);
  }
  const int64_t settings = settings_of(sweep.spec());
  if (static_cast<int64_t>(tries.size()) != settings) {
    world_.broken("{} has finished after {} of {} settings: {}", sweep.id(), tries.size(), settings,
                  sweep.reason());
  }
  std::optional<double> least;
  for (const auto& [candidate, jobs] : tries) {
    const bool dropped = search.plan.stops_early() && !succeeded(*jobs.front());
    const size_t expected = dropped ? 1 : search.tried.size();
    if (jobs.size() != expected) {
      world_.broken("{} has {} of {} trials of setting {}", sweep.id(), jobs.size(), expected,
                    candidate);
    }
    const auto loss = mean_loss(jobs);
    if (loss && (!least || *loss < *least)) least = loss;
  }
  const size_t expected = least ? search.tested.size() : 0;
  if (tests.size() != expected) {
    world_.broken("{} has {} of {} tests", sweep.id(), tests.size(), expected);
  }
  for (const v1::Job* test : tests) {
    const auto loss = mean_loss(tries[test->trial().candidate()]);
    if (!loss || *loss > *least + 1e-12) {
      world_.broken("{} tests setting {}, of loss {}, the least is {}", sweep.id(),
                    test->trial().candidate(), loss.value_or(NAN), *least);
    }
  }
}

// A member goes on from one of the generation before that has come to its end.
void Invariants::check_parent(const v1::Job& trial, const std::vector<v1::Job>& trials) {
  const int number = trial.trial().parent();
  if (number == 0) return;
  const v1::Job& parent = trials.at(static_cast<size_t>(number - 1));
  const std::string& from = trial.spec().train().continue_from();
  if (number >= trial.trial().number() || parent.state() != v1::JOB_STATE_SUCCEEDED ||
      step_of(from) != parent.spec().train().max_steps()) {
    world_.broken("{} goes on from {} with {}, which is {}", trial.id(), parent.id(), from,
                  state_name(parent.state()));
  }
}

}  // namespace prefixmem::simulation
