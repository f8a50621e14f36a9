// The attempts that train together on a simulated worker, and what befalls them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/attempt.h"

namespace prefixmem::simulation {

// As worker/agent/attempt/gang_run: each attempt ends by itself, the last one's end waits until no
// process is left; others may join until then.
class Gang : public std::enable_shared_from_this<Gang> {
 public:
  Gang(std::string name, int ranks, Attempt::Host& host)
      : name_(std::move(name)), ranks_(ranks), host_(host) {}

  const std::string& name() const { return name_; }
  int ranks() const { return ranks_; }
  bool gone() const { return gone_; }
  // It is being killed, as nobody wants what is left of it.
  bool given_up() const { return given_up_; }
  bool has(const Attempt& attempt) const;

  void add(const std::shared_ptr<Attempt>& attempt);
  // Its attempt leaves after its step with a checkpoint, or is killed when `grace` is over.
  void stop(Attempt& attempt, Millis grace);
  // One of its ranks crashes: all that train fail with it.
  void fail(const Status& status);

 private:
  struct Member {
    std::shared_ptr<Attempt> attempt;
    bool trains = false;
    std::optional<int64_t> fails_at = {};  // step
    Status failure = {};
  };
  using MemberPtr = std::shared_ptr<Member>;

  void muster(const MemberPtr& member);
  void begin(const MemberPtr& member);
  void draw_fate(Member& member);
  void next_step(const MemberPtr& member);
  void step(const MemberPtr& member);
  void close(Member& member, const Status& status, bool shared = false);
  void wind_up();
  bool any_open() const;

  const std::string name_;
  const int ranks_;
  Attempt::Host& host_;
  std::vector<MemberPtr> members_;
  bool gone_ = false, given_up_ = false;
};

}  // namespace prefixmem::simulation
