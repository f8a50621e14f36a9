#include "worker/agent/inputs/content_origin.h"

#include <system_error>

#include "common/content/folder_list.h"
#include "common/files.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

// One on its way, below `work`:
//
//   part, part-<sha256>   the file that comes now
//   list                  of a folder
//   whole/NAME            the file; the folder of those that have come
class Fetch {
 public:
  Fetch(const ContentName& name, ContentSource& source, const BackoffPolicy& backoff,
        const fs::path& work, const Origin::Reserve& reserve, const std::stop_token& stop)
      : name_(name),
        source_(source),
        backoff_(backoff),
        work_(work),
        reserve_(reserve),
        stop_(stop),
        place_(work / "whole" / name.name) {}

  Result<fs::path> run() {
    PM_TRY(make_folders(place_.parent_path()));
    PM_TRY(name_.folder ? bring_folder() : bring_file());
    return place_;
  }

 private:
  // Whole and checked at `file`; `reserve` is told the bytes as they were announced.
  Status bring(const std::string& sha256, const fs::path& file, const Origin::Reserve& reserve) {
    return retry_while_unavailable(backoff_, stop_,
                                   [&] { return source_.fetch(sha256, file, reserve, stop_); });
  }

  Status bring_file() {
    PM_TRY(bring(name_.sha256, work_ / "part", reserve_));
    return publish_file(work_ / "part", place_);
  }

  Status bring_folder() {
    const fs::path file = work_ / "list";
    PM_TRY(bring(name_.sha256, file, reserved));
    PM_ASSIGN(const std::string text, read_file(file, kMaxFolderListBytes));
    PM_ASSIGN(const FolderList list, parse_folder_list(text));
    int64_t bytes = 0;
    for (const FolderFile& one : list) bytes += one.bytes;
    PM_TRY(reserve_(bytes));
    for (const FolderFile& one : list) PM_TRY(bring_into_folder(one));
    return {};
  }

  // What has come already has its name, so its bytes were checked.
  Status bring_into_folder(const FolderFile& file) {
    const fs::path place = place_ / file.path;
    std::error_code error;
    if (fs::exists(place, error)) return {};
    PM_TRY(make_folders(place.parent_path()));
    const fs::path part = work_ / ("part-" + file.sha256);
    PM_TRY(bring(file.sha256, part, reserved).with_context(file.path));
    return publish_file(part, place);
  }

  static Status reserved(int64_t) { return {}; }

  const ContentName& name_;
  ContentSource& source_;
  const BackoffPolicy& backoff_;
  const fs::path& work_;
  const Origin::Reserve& reserve_;
  const std::stop_token& stop_;
  const fs::path place_;
};

}  // namespace

std::string content_key(const ContentName& name) {
  return name.folder ? name.sha256 + ".folder" : name.sha256;
}

Result<fs::path> ContentOrigin::bring(const fs::path& work, const Reserve& reserve,
                                      const std::stop_token& stop) const {
  return Fetch(name_, source_, backoff_, work, reserve, stop).run();
}

}  // namespace prefixmem::agent
