#include "client/commands/adapter_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "client/channel/download.h"
#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInDownload = "adapter";  // its place in what `pmt download` made

AdapterFolder local(const fs::path& folder) {
  const bool whole_download = !fs::exists(folder / "config.json") &&
                              !fs::exists(folder / "adapter_config.json") &&
                              fs::is_directory(folder / kInDownload);
  return {whole_download ? folder / kInDownload : folder, "", {}};
}

Result<AdapterFolder> fetch(const std::string& name, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const v1::Job job, server->job(name));
  PM_ASSIGN(const auto all, server->artifacts(job.id()));
  PM_ASSIGN(TemporaryFolder folder, TemporaryFolder::make());
  bool any = false;
  for (const v1::Artifact& file : all.artifacts()) {
    if (!file.path().starts_with(std::string(kInDownload) + "/")) continue;
    PM_TRY(download(*server, job.id(), file, folder.path()).status());
    any = true;
  }
  if (!any) {
    return not_found("job " + job.id() + " has no adapter in the store; it is " +
                     state_name(job.state()) + removed_text(job));
  }
  PM_ASSIGN(const JobSpec spec, job_spec_from_proto(job.spec()));
  const fs::path adapter = folder.path() / kInDownload;
  return AdapterFolder{adapter, to_yaml(spec), std::move(folder)};
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::make() {
  std::string path = (fs::temp_directory_path() / "pmt-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) return from_errno("creating " + path, errno);
  return TemporaryFolder(path);
}

TemporaryFolder::TemporaryFolder(fs::path path) : path_(std::move(path)) {}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // the system clears what is left
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<AdapterFolder> find_adapter(const std::string& name, Session& session) {
  const fs::path folder = session.env.working_folder / name;
  if (fs::is_directory(folder)) return local(folder);
  auto found = fetch(name, session);
  // With no coordinator at hand, a path that is none is what was most likely meant.
  if (!found.ok() && name.find('/') != std::string::npos) {
    return not_found(folder.string() + " is no folder");
  }
  return found;
}

}  // namespace prefixmem::client
