#include "client/content/fetch.h"

#include <fcntl.h>

#include <cerrno>

#include "client/channel/download.h"
#include "common/content/content_name.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/spec/paths.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;

Result<int64_t> size_of(Server& server, const ContentName& name) {
  v1::StatContentRequest request;
  request.add_sha256(name.sha256);
  PM_ASSIGN(const auto states, server.content_states(request));
  if (states.contents_size() == 1 && states.contents(0).complete()) {
    return states.contents(0).received_bytes();
  }
  return not_found(name.name + " is no longer kept by the coordinator");
}

Status fetch_file(Server& server, const ContentName& name, const fs::path& file) {
  PM_ASSIGN(const int64_t bytes, size_of(server, name));
  PM_TRY(make_folders(file.parent_path()));
  const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  v1::DownloadContentRequest request;
  request.set_sha256(name.sha256);
  Sha256 digest;
  const auto take = [&](const v1::DownloadContentResponse& message) {
    digest.update(message.chunk());
    return write_all(fd.get(), message.chunk(), file.string());
  };
  PM_TRY(server.download_content(request, transfer_limit(bytes, server.timeout()), take));
  return digest.finish_hex() == name.sha256 ? Status()
                                            : data_loss(name.name + " arrived with other bytes");
}

}  // namespace

Result<std::string> fetch_rows(Server& server, const std::string& yaml, const fs::path& folder) {
  PM_ASSIGN(Tree spec, spec::parse_tree(yaml));
  PM_TRY(spec::each_path(spec, [&](std::string_view key, Tree& value) -> Status {
    if (key == "train.continue_from") return {};  // no rows
    const auto name = parse_content_name(value.scalar);
    if (!name.ok() || name->folder) return {};
    const fs::path file = folder / name->sha256 / name->name;
    PM_TRY(fetch_file(server, *name, file));
    value = Tree::text(file.string());
    return {};
  }));
  return spec::print_tree(spec);
}

}  // namespace prefixmem::client
