// Of a command that asks something of several jobs: a refusal of one keeps no other from being
// asked.
#pragma once

#include <utility>

#include "client/session.h"
#include "common/status.h"

namespace prefixmem::client {

class Refusals {
 public:
  explicit Refusals(Session& session) : session_(session) {}

  // All but the first are noted at once; OK is none.
  void add(Status status) {
    if (status.ok()) return;
    if (first_.ok()) {
      first_ = std::move(status);
    } else {
      session_.note(status.message());
    }
  }
  // What the command ends with; OK where there was none.
  const Status& first() const { return first_; }

 private:
  Session& session_;
  Status first_;
};

}  // namespace prefixmem::client
