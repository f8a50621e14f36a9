#include "worker/trainer/model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/fd.h"

namespace prefixmem::trainer {

Result<MappedFile> map_file(const std::filesystem::path& file) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return from_errno("examining " + file.string(), errno);
  if (!S_ISREG(info.st_mode)) return failed_precondition(file.string() + " is no regular file");
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile{};
  void* const address = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return from_errno("mapping " + file.string(), errno);
  return MappedFile{{address, [size](void* begin) { munmap(begin, size); }},
                    {static_cast<const char*>(address), size}};
}

}  // namespace prefixmem::trainer
