// A disk that fills in the middle of a file, anywhere and for anybody.
#pragma once

#include <cstddef>

namespace prefixmem {

// As long as one lives, write() takes that many bytes more of this thread, then fails as on a full
// disk. Of code that is linked into a program of use_full_disk (CMakeLists.txt).
class FullDisk {
 public:
  explicit FullDisk(size_t room);
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
};

}  // namespace prefixmem
