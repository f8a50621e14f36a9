// Models: content with a name.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/content/model_name.h"
#include "common/proto/timestamps.h"
#include "common/spec/utf8.h"
#include "coordinator/core/content_files.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {
namespace {

void add_files(const FolderList& files, v1::Model& model) {
  for (const FolderFile& file : files) {
    v1::ModelFile& shown = *model.add_file();
    shown.set_path(file.path);
    shown.set_bytes(file.bytes);
    shown.set_sha256(file.sha256);
  }
}

// Without its files.
Result<v1::Model> describe(const v1::AddModelRequest& request, const FolderList& files,
                           WallTime now) {
  PM_TRY(check_model_name(request.name()));
  PM_ASSIGN(const ContentName content, parse_content_name(request.content()));
  PM_TRY(content.folder ? check_model_folder(content, files) : check_model_file(content));
  v1::Model model;
  model.set_name(request.name());
  model.set_content(request.content());
  model.set_files(static_cast<int>(files.size()));
  int64_t bytes = 0;
  for (const FolderFile& file : files) bytes += file.bytes;
  model.set_bytes(bytes);
  *model.mutable_create_time() = to_timestamp(now);
  return model;
}

}  // namespace

Result<v1::Model> Coordinator::add_model(const v1::AddModelRequest& request) {
  const MutexLock writing(write_mutex_);
  PM_TRY(failure());
  PM_ASSIGN(const FolderList files, content_files(reader(), blobs(), request.content()));
  PM_ASSIGN(const v1::Model model, describe(request, files, environment_.clock.wall()));
  PM_ASSIGN(const auto there, reader().model(model.name()));
  if (there && there->content() == model.content()) return *there;
  if (there) {
    return failed_precondition(
        fmt::format("model {} is there with other content, {}; remove it first or choose another "
                    "name",
                    model.name(), there->content()));
  }
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  transaction.insert_model(model);
  PM_TRY(commit(transaction, begin, 0));
  spdlog::info("model {} of {} bytes was added", model.name(), model.bytes());
  return model;
}

Result<v1::Model> Coordinator::remove_model(const std::string& name) {
  const MutexLock writing(write_mutex_);
  PM_TRY(failure());
  PM_ASSIGN(v1::Model there, named_model(name));
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  transaction.drop_model(name);
  PM_TRY(commit(transaction, begin, 0));
  spdlog::info("model {} was removed", name);
  return there;
}

Result<v1::Model> Coordinator::named_model(const std::string& name) {
  PM_ASSIGN(auto model, reader().model(name));
  if (model) return *std::move(model);
  return not_found(fmt::format("there is no model {}", spec::shortened(name, 80)));
}

Result<v1::Model> Coordinator::model(const std::string& name) {
  PM_ASSIGN(v1::Model model, named_model(name));
  PM_ASSIGN(const FolderList files, content_files(reader(), blobs(), model.content()));
  add_files(files, model);
  return model;
}

}  // namespace prefixmem
