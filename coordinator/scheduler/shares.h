// What each tenant holds of the slots, and whether it may have more.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/scheduler/room.h"

namespace prefixmem::scheduler {

// What keeps a job from starting wherever there is room.
struct Bar {
  enum class Kind {
    kNone,
    kSlots,  // until others of its tenant end
    kQuota,  // as long as the quotas and the files of its tenant are what they are
  };
  Kind kind = Kind::kNone;
  std::string reason = {};
};

// Over one placement.
class Shares {
 public:
  Shares(const std::vector<Tenant>& tenants, const std::vector<Room>& rooms);

  // Slots that the job's tenant has from now on: of a gang that starts, or kept for a job that
  // waits, so that those behind it do not use up its quota.
  void hold(const Job& job);

  // Slots that it has and those of late, by weight: the tenant with the least comes next.
  double load(std::string_view tenant) const;

  Bar bar(const Job& job) const;
  // Slots that it may have beside those that it has, by its quota of them.
  int left(std::string_view tenant) const;

 private:
  struct Share {
    Tenant tenant;
    int held = 0;
  };

  const Share& of(std::string_view tenant) const;

  std::map<std::string, Share, std::less<>> shares_;  // of those with a quota, a weight or slots
};

// The mean of the slots that a tenant holds, in which what was a day ago counts half: after `span`
// in which it held `slots`, where it was `before`. Pure.
double recent_slots(double before, int slots, Millis span);

}  // namespace prefixmem::scheduler
