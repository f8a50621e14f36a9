// Content that specs name: what is there, and whether a spec has all of its own.
#include <fmt/format.h>

#include "common/content/content_name.h"
#include "common/content/hub_name.h"
#include "common/content/root_name.h"
#include "common/spec/paths.h"
#include "common/spec/utf8.h"
#include "coordinator/core/content_files.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {

Result<v1::ContentState> Coordinator::content_state(const std::string& sha256) {
  v1::ContentState state;
  state.set_sha256(sha256);
  PM_ASSIGN(const auto bytes, reader().content_bytes(sha256));
  state.set_complete(bytes.has_value());
  if (bytes) {
    state.set_received_bytes(*bytes);
  } else {
    PM_ASSIGN(const int64_t received, blobs().unfinished(sha256));
    state.set_received_bytes(received);
  }
  return state;
}

// Used first: nothing that is then found to be there goes before its caller has named it in a spec.
Result<v1::StatContentResponse> Coordinator::content_states(
    const std::vector<std::string>& sha256) {
  {
    const MutexLock writing(write_mutex_);
    PM_TRY(failure());
    const MonotonicTime begin = environment_.clock.monotonic();
    store::Transaction transaction(environment_.store);
    for (const std::string& one : sha256) transaction.use_content(one, environment_.clock.wall());
    PM_TRY(commit(transaction, begin, 0));
  }
  v1::StatContentResponse states;
  for (const std::string& one : sha256) {
    PM_ASSIGN(*states.add_contents(), content_state(one));
  }
  return states;
}

Result<std::shared_ptr<const void>> Coordinator::reserve(const std::string& tenant, int64_t bytes) {
  const MutexLock lock(mutex_);
  PM_TRY(count_stored());
  const store::TenantRecord& record = live_.tenant(tenant).record;
  const v1::Quota& quota = record.tenant.quota();
  const int64_t has = record.stored_bytes + arriving_bytes_[tenant];
  if (quota.has_stored_bytes() && bytes > quota.stored_bytes() - has) {
    return resource_exhausted(
        fmt::format("tenant {} has {} bytes stored or on their way and would send {} more; "
                    "allowed: {} in all",
                    tenant, has, bytes, quota.stored_bytes()));
  }
  arriving_bytes_[tenant] += bytes;
  return std::shared_ptr<const void>(this, [this, tenant, bytes](const void*) {
    const MutexLock relock(mutex_);
    arriving_bytes_[tenant] -= bytes;
  });
}

Status Coordinator::add_content(const FolderList& files, const std::string& tenant) {
  const MutexLock writing(write_mutex_);
  PM_TRY(failure());
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  for (const FolderFile& file : files) {
    transaction.add_content({file.sha256, file.bytes, environment_.clock.wall(), tenant});
  }
  PM_TRY(commit(transaction, begin, 0));
  const MutexLock lock(mutex_);
  files_moved_ = true;
  return {};
}

Status Coordinator::check_inputs(const NamedInputs& inputs) {
  for (const auto& [key, named] : inputs) PM_TRY(check_named(key, named).with_context(key));
  return {};
}

// Paths, and models of the Hub, are for the worker to look at.
Status Coordinator::check_named(std::string_view key, const std::string& text) {
  if (names_content(text)) return content_files(reader(), blobs(), text).status();
  if (names_root(text)) return parse_root_name(text).status();
  if (names_hub(text) && key == "model") return parse_pinned_hub_name(text).status();
  if (!spec::has_scheme(text)) return {};
  return invalid_argument(fmt::format(
      "it is \"{}\"; allowed: a path, root://NAME/PATH, models://NAME (after pmt models "
      "add) or hf://ORG/NAME@COMMIT for a model, job://JOB or content://SHA256/NAME",
      spec::shortened(text, 400)));
}

}  // namespace prefixmem
