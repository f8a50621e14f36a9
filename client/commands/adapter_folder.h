// The adapter that a person means by a folder or by a job.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "client/session.h"

namespace prefixmem::client {

// A folder of this process's own; removed with its content.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path);
  std::filesystem::path path_;
};

struct AdapterFolder {
  std::filesystem::path path;
  std::string spec;                        // YAML of the job it was fetched from; empty: none
  std::optional<TemporaryFolder> fetched;  // where it lies then
};

// `name` is a folder (that of an adapter or a whole model, or one made by `pmt download`, which
// holds it as adapter/), or else the id or name of a job, whose adapter is fetched. NOT_FOUND.
Result<AdapterFolder> find_adapter(const std::string& name, Session& session);

}  // namespace prefixmem::client
