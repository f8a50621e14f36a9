// Something that the cache keeps a copy of, and where it comes from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "common/status.h"

namespace prefixmem::agent {

// Thread-safe.
class Origin {
 public:
  virtual ~Origin() = default;

  // Name of its folder in the cache. The same key, the same bytes.
  virtual std::string key() const = 0;
  // Of the file or folder in that.
  virtual std::string name() const = 0;
  // As specs name it.
  virtual std::string text() const = 0;

  // Told of all bytes before the first is written, once or, as tries go on, several times; its
  // failure ends the call.
  using Reserve = std::function<Status(int64_t bytes)>;

  // Brings it below `work`, where an earlier try may have left a part of it. The file or folder
  // there, which is whole and checked. CANCELLED once `stop` is raised.
  virtual Result<std::filesystem::path> bring(const std::filesystem::path& work,
                                              const Reserve& reserve,
                                              const std::stop_token& stop) const = 0;
};

}  // namespace prefixmem::agent
