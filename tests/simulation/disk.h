// A disk for SQLite that lives in memory and breaks when told.
//
// While a Disk lives it is SQLite's default file system, so the store runs on it unchanged. What
// was not synced is lost at a crash, or a part of it; a write may be the last thing that a process
// does, or what it dies before; there may be no room.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/random.h"

namespace prefixmem::simulation {

struct DiskHandle;
struct Vfs;

class Disk {
 public:
  Disk();
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // ---- what goes wrong

  // The process dies at the `operation`th write, truncation, sync or removal from now on, from 1:
  // before it, or right after it.
  void die_at(int64_t operation, bool after);
  // Not any more, where it has not come to it.
  void let_live() { dies_at_.reset(); }
  // The process is dead: whatever it still does reaches nothing.
  bool dead() const { return dead_; }
  void die() { dead_ = true; }
  // Nothing grows.
  void set_full(bool full) { full_ = full; }
  bool full() const { return full_; }
  // It says that it has synced, and has not.
  void set_lying(bool lying) { lying_ = lying; }

  // The machine is up again: of what was not synced any part may be there. Nothing is open.
  void restart(Random& random);

  int64_t operations() const { return operations_; }

 private:
  friend struct DiskHandle;
  friend struct Vfs;

  // A change that is not synced, with what undoes it.
  struct Change {
    size_t offset = 0;
    std::string before, after;
    size_t size_before = 0, size_after = 0;
  };
  struct File {
    std::string bytes;
    std::vector<Change> unsynced;
    std::vector<std::string> shared_memory;  // of write-ahead logging, never durable
    std::vector<DiskHandle*> handles;
  };

  // Whether the operation takes place; counts it.
  bool begin_operation();
  void end_operation();
  static void apply(File& file, Change change);

  std::map<std::string, File> files_;
  std::unique_ptr<Vfs> vfs_;
  int64_t operations_ = 0;
  std::optional<int64_t> dies_at_;
  bool dies_after_ = false;
  bool dead_ = false, full_ = false, lying_ = false;
};

}  // namespace prefixmem::simulation
