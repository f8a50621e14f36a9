// Gangs over several workers: the head speaks for the attempt, the members lend their ranks, and
// what they say to each other goes through here.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "coordinator/core/coordinator.h"
#include "coordinator/scheduler/memory.h"

namespace prefixmem {

// Bytes that ranks of the job's gang may take on a worker; 0: nothing says how many they need.
int64_t Coordinator::memory_of_part(const v1::Job& job, const scheduler::Seat& seat) const {
  if (!job.has_memory()) return 0;
  const scheduler::Worker worker = live_.worker(seat.worker_id);
  const Device device = device_of(job.spec().resources().device());
  const int needed = scheduler::slots_held(worker, device, memory_of(job.memory()), seat.ranks);
  const int slots = job.hosts().empty() ? std::max(job.slots(), needed) : needed;
  return scheduler::bytes_of_slots(worker, device, slots);
}

// Those of a gang on one worker are not spelt out.
void Coordinator::set_hosts(v1::Job& job, const std::vector<scheduler::Seat>& seats) const {
  job.clear_hosts();
  for (const scheduler::Seat& seat : seats) {
    v1::GangHost& host = *job.add_hosts();
    host.set_worker_id(seat.worker_id);
    host.set_host(live_.workers.at(seat.worker_id).info.host());
    host.set_ranks(seat.ranks);
    host.set_memory_bytes(memory_of_part(job, seat));
  }
}

// Between a head and a member of its own. At once: nothing that is to be durable rests on it, and
// both sides repeat what is lost.
void Coordinator::pass_on(const std::string& worker_id, const v1::GangNote& note) {
  const LiveJob* const job = live_.with_part_on(worker_id, note.id());
  if (job == nullptr || live_.with_part_on(note.worker_id(), note.id()) == nullptr) return;
  const std::string& head = job->attempt->worker_id;
  if (note.has_gone() || (worker_id == head) == (note.worker_id() == head)) return;
  const auto link = link_of(note.worker_id());
  if (!link) return;
  v1::CoordinatorMessage message;
  *message.mutable_note() = note;
  message.mutable_note()->set_worker_id(worker_id);
  link->send(std::move(message));
}

// The head ends the gang.
void Coordinator::tell_member_gone(LiveJob& job, const std::string& member,
                                   const std::string& reason) {
  job.gone.emplace(member, reason);
  v1::CoordinatorMessage message;
  v1::GangNote& note = *message.mutable_note();
  *note.mutable_id() = id_of(*job.attempt);
  note.set_worker_id(member);
  note.mutable_gone()->set_reason(reason);
  journal_.send(link_of(job.attempt->worker_id), std::move(message));
}

void Coordinator::release_members(const LiveJob& job) {
  for (const scheduler::Seat& seat : seats_of(job)) {
    if (seat.worker_id == job.attempt->worker_id) continue;
    send_cancel(seat.worker_id, id_of(*job.attempt), cancelled("the attempt is over"));
  }
}

// A worker that does not know that it is a member has started anew, or never heard of it: either
// way the gang waits for it in vain. A head that has just dialled may not have heard so of others.
void Coordinator::look_for_members(const v1::Register& request) {
  const std::string& id = request.worker_id();
  std::set<std::string> reported;
  for (const v1::AttemptId& member : request.members()) reported.insert(member.job_id());
  for (const std::string& job_id : live_.on(id)) {
    LiveJob& job = live_.jobs.at(job_id);
    if (job.attempt->worker_id != id) {
      if (!reported.contains(job_id)) {
        tell_member_gone(job, id, fmt::format("worker {} no longer runs its ranks", id));
      }
      continue;
    }
    for (const scheduler::Seat& seat : seats_of(job)) {
      const auto member = live_.workers.find(seat.worker_id);
      const bool lost = member == live_.workers.end() || member->second.lost();
      if (lost) job.gone.emplace(seat.worker_id, fmt::format("worker {} is lost", seat.worker_id));
    }
    const auto gone = job.gone;
    for (const auto& [member, reason] : gone) tell_member_gone(job, member, reason);
  }
}

}  // namespace prefixmem
