#include "coordinator/store/snapshot.h"

#include <unistd.h>

#include "coordinator/store/reader.h"

namespace prefixmem::store {
namespace {

constexpr int kPagesAtOnce = 1024;  // of 4 KiB

}  // namespace

Snapshot::~Snapshot() {
  copy_.reset();
  for (const char* part : {"", "-wal", "-shm", "-journal"}) unlink((file_.string() + part).c_str());
}

Result<bool> Snapshot::copy_more() { return copy_->step(kPagesAtOnce); }
int64_t Snapshot::copied_pages() const { return copy_->pages() - copy_->remaining(); }
int64_t Snapshot::pages() const { return copy_->pages(); }

Result<std::set<std::string>> Snapshot::blobs() const {
  PM_ASSIGN(const auto reader, Reader::open(file_));
  return reader->digests();
}

}  // namespace prefixmem::store
