#include "tests/simulation/gang.h"

#include <algorithm>

namespace prefixmem::simulation {

bool Gang::has(const Attempt& attempt) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const MemberPtr& member) { return member->attempt.get() == &attempt; });
}

bool Gang::any_open() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const MemberPtr& member) { return !member->attempt->closed(); });
}

// The slots of an end that was held back for them are the new one's.
void Gang::add(const std::shared_ptr<Attempt>& attempt) {
  const auto member = std::make_shared<Member>(Member{.attempt = attempt});
  members_.push_back(member);
  given_up_ = false;
  for (const MemberPtr& other : members_) {
    if (other->attempt->closed()) other->attempt->release();
  }
  host_.later(host_.world.some(0, 3),
              [self = shared_from_this(), member] { self->muster(member); });
}

void Gang::muster(const MemberPtr& member) {
  if (member->attempt->closed()) return;
  member->attempt->prepare([self = shared_from_this(), member](const Status& status) {
    if (member->attempt->closed() || member->attempt->abandoned()) return;
    if (status.ok()) return self->begin(member);
    self->host_.world.log("{}: {} cannot start: {}", self->host_.worker,
                          member->attempt->key().first, status.message());
    self->close(*member, status);
  });
}

void Gang::begin(const MemberPtr& member) {
  member->trains = true;
  draw_fate(*member);
  member->attempt->begin_training();
  next_step(member);
}

void Gang::draw_fate(Member& member) {
  static const std::vector<Status> kFailures = {
      internal_error("rank 0 was killed by signal 11"), invalid_argument("row 3 has no text"),
      resource_exhausted("memory ran out"), unavailable("rank 1 hung in an all-reduce")};
  Random& random = host_.world.random;
  if (member.attempt->finished_training() || !random.chance(0.12)) return;
  member.fails_at = random.between(member.attempt->step() + 1, member.attempt->plan().steps);
  member.failure = random.pick(kFailures);
}

void Gang::next_step(const MemberPtr& member) {
  host_.later(host_.world.some(1, 8), [self = shared_from_this(), member] { self->step(member); });
}

void Gang::step(const MemberPtr& member) {
  Attempt& attempt = *member->attempt;
  if (attempt.closed()) return;
  // From its last checkpoint: what it lacked was somebody who heard of its end.
  if (attempt.finished_training()) return close(*member, {});
  if (member->fails_at && attempt.step() + 1 >= *member->fails_at) {
    if (host_.world.random.chance(0.5)) return fail(member->failure);
    host_.world.ledger.attempts.at(attempt.key()).failure = code_name(member->failure.code());
    return close(*member, member->failure);
  }
  attempt.train_a_step();
  if (attempt.stopping() && host_.world.sabotage != Sabotage::kAgentGoesOn) {
    attempt.write_checkpoint();
    return close(*member, cancelled("stopped"));
  }
  attempt.evaluate_if_due();
  if (attempt.finished_training()) return close(*member, {});
  next_step(member);
}

void Gang::stop(Attempt& attempt, Millis grace) {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const MemberPtr& member) {
    return member->attempt.get() == &attempt;
  });
  if (found == members_.end()) return;
  if (attempt.closed()) {
    given_up_ = given_up_ || (attempt.abandoned() && !any_open());
    return;
  }
  if (host_.world.sabotage == Sabotage::kAgentGoesOn && (*found)->trains) return;
  if (!(*found)->trains || grace == Millis(0)) return close(**found, cancelled("stopped"));
  host_.later(grace, [self = shared_from_this(), member = *found] {
    if (!member->attempt->closed()) self->close(*member, cancelled("killed"));
  });
}

void Gang::fail(const Status& status) {
  std::vector<MemberPtr> training;
  for (const MemberPtr& member : members_) {
    if (member->trains && !member->attempt->closed()) training.push_back(member);
  }
  for (const MemberPtr& member : training) {
    host_.world.ledger.attempts.at(member->attempt->key()).failure = code_name(status.code());
    close(*member, status, training.size() > 1);
  }
}

void Gang::close(Member& member, const Status& status, bool shared) {
  member.attempt->close(status, shared, true);
  if (any_open()) return member.attempt->release();
  given_up_ = member.attempt->abandoned();
  host_.later(host_.world.some(0, 1), [self = shared_from_this()] { self->wind_up(); });
}

void Gang::wind_up() {
  if (gone_ || any_open()) return;
  gone_ = true;
  for (const MemberPtr& member : members_) member->attempt->release();
}

}  // namespace prefixmem::simulation
