#include "client/channel/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "common/files.h"
#include "common/id.h"
#include "common/sha256.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

Status refuse_path(const std::string& path, const std::string& why) {
  return invalid_argument("artifact path \"" + path + "\" " + why +
                          "; allowed: a path inside the output folder");
}

// Takes the messages of one download and writes them to an open file.
class Receiver {
 public:
  Receiver(int fd, const v1::Artifact& wanted) : fd_(fd), wanted_(wanted) {}

  Status take(const v1::DownloadArtifactResponse& message) {
    if (message.has_artifact()) return take_header(message.artifact());
    if (!header_seen_) return data_loss(wanted_.path() + " came without its header");
    received_ += static_cast<int64_t>(message.chunk().size());
    if (received_ > header_.bytes()) return wrong_size("more");
    digest_.update(message.chunk());
    return write_all(fd_, message.chunk(), wanted_.path());
  }

  Status finish() {
    if (!header_seen_) return data_loss(wanted_.path() + " came without its header");
    if (received_ < header_.bytes()) return wrong_size(std::to_string(received_));
    const std::string digest = digest_.finish_hex();
    if (digest == header_.sha256()) return {};
    return data_loss(fmt::format("{} arrived with sha256 {} where the store names {}",
                                 wanted_.path(), digest, header_.sha256()));
  }

 private:
  Status take_header(const v1::Artifact& header) {
    if (header_seen_) return data_loss(wanted_.path() + " came with a second header");
    if (header.path() != wanted_.path()) {
      return data_loss("the store sent \"" + header.path() + "\" for " + wanted_.path());
    }
    header_ = header;
    header_seen_ = true;
    return {};
  }

  Status wrong_size(const std::string& received) const {
    return data_loss(fmt::format("{} arrived with {} bytes where the store names {}",
                                 wanted_.path(), received, header_.bytes()));
  }

  const int fd_;
  const v1::Artifact& wanted_;
  v1::Artifact header_;
  bool header_seen_ = false;
  int64_t received_ = 0;
  Sha256 digest_;
};

Status fill_file(Server& server, const std::string& job, const v1::Artifact& artifact,
                 const fs::path& file) {
  const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  v1::DownloadArtifactRequest request;
  request.set_job(job);
  request.set_path(artifact.path());
  Receiver receiver(fd.get(), artifact);
  PM_TRY(server.download(request, transfer_limit(artifact.bytes(), server.timeout()),
                         [&](const auto& message) { return receiver.take(message); }));
  return receiver.finish();
}

// Makes the folders of a file; unless kept, those that were not there before go again.
class NewFolders {
 public:
  Status make(const fs::path& folder) {
    std::error_code ignored;  // what is wrong with the folder, make_folders says
    for (fs::path f = folder; !f.empty() && !fs::exists(f, ignored); f = f.parent_path()) {
      made_.push_back(f);
    }
    return make_folders(folder);
  }
  void keep() { made_.clear(); }
  ~NewFolders() {
    for (const fs::path& folder : made_) rmdir(folder.c_str());  // only empty ones, deepest first
  }

 private:
  std::vector<fs::path> made_;
};

}  // namespace

Result<fs::path> place_in(const fs::path& folder, const std::string& path) {
  if (path.empty() || path.front() == '/') return refuse_path(path, "is not relative");
  if (path.find('\0') != path.npos) return refuse_path(path, "holds a zero byte");
  for (const fs::path& part : fs::path(path)) {
    if (part.empty() || part == "." || part == "..") {
      return refuse_path(path, "has the part \"" + part.string() + "\"");
    }
  }
  std::error_code error;
  const fs::path base = fs::weakly_canonical(fs::absolute(folder), error);
  if (error) return from_errno("resolving " + folder.string(), error.value());
  const fs::path place = fs::weakly_canonical(base / path, error);
  if (error) return from_errno("resolving " + (base / path).string(), error.value());
  if (!is_inside(place, base)) return refuse_path(path, "leaves it through a symbolic link");
  return folder / path;
}

Millis transfer_limit(int64_t bytes, Millis timeout) {
  return timeout + std::chrono::seconds(std::max<int64_t>(0, bytes) >> 20);
}

Result<fs::path> download(Server& server, const std::string& job, const v1::Artifact& artifact,
                          const fs::path& folder) {
  PM_ASSIGN(fs::path file, place_in(folder, artifact.path()));
  NewFolders folders;
  PM_TRY(folders.make(file.parent_path()));
  const fs::path temporary = file.string() + new_id("") + ".tmp";
  Status status = fill_file(server, job, artifact, temporary);
  if (status.ok()) status = publish_file(temporary, file);
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  folders.keep();
  return file;
}

}  // namespace prefixmem::client
