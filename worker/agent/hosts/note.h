// What the agents of a gang over several hosts say to each other, through the coordinator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/status.h"
#include "worker/agent/attempt/assignment.h"

namespace prefixmem::agent {

// Member to head: its files are there, it waits for the start.
struct MemberReady {};
// Head to member: mpirun wants its daemon started there, with these arguments.
struct StartDaemon {
  std::vector<std::string> arguments;
};
// Head to member: the gang is over, nothing of it is to be left.
struct StopDaemon {};
// Member to head: nothing of the gang is left there. A failure is the gang's.
struct DaemonEnded {
  Status status;
  int code = 0;  // the daemon's exit code
};
// Either way: a line, without its newline, that a rank of the member says at its socket or is told
// there. Connections are numbered by the member.
struct RankLine {
  int connection = 0;
  std::string text;
};
// Member to head: that connection is closed.
struct RankLeft {
  int connection = 0;
};
// Coordinator to head: the member is lost, nobody will answer for it.
struct MemberGone {
  std::string reason;
};

using NoteBody =
    std::variant<MemberReady, StartDaemon, StopDaemon, DaemonEnded, RankLine, RankLeft, MemberGone>;

struct Note {
  AttemptKey key;
  std::string worker;        // the other side
  int64_t number = 0;        // from 1 on, of those that carry a body; 0: the coordinator's own word
  int64_t acknowledged = 0;  // all up to this number have come
  std::optional<NoteBody> body;
};

}  // namespace prefixmem::agent
