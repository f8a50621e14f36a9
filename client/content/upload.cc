#include "client/content/upload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>

#include "client/channel/download.h"
#include "client/render/numbers.h"
#include "common/backoff.h"
#include "common/content/folder_list.h"
#include "common/fd.h"
#include "common/id.h"
#include "common/sha256.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr int kMostAskedAtOnce = 10000;
constexpr int kFruitlessTries = 5;
constexpr BackoffPolicy kBackoff{Millis(200), Millis(5000), 2, 0};

// Gives a content's bytes from an offset on, chunk by chunk.
class Chunks {
 public:
  static Result<Chunks> of(const LocalContent& content, int64_t offset) {
    Chunks chunks(content, offset);
    if (content.file.empty()) return chunks;
    chunks.fd_ = Fd(open(content.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (chunks.fd_.valid()) return chunks;
    return from_errno("opening " + content.file.string(), errno);
  }

  // Empty at the end; of a file that has grown, at its old end.
  Result<std::string> next() {
    std::string chunk;
    const auto left = static_cast<size_t>(content_->bytes - offset_);
    if (content_->file.empty()) {
      chunk = content_->text.substr(static_cast<size_t>(offset_), kChunkBytes);
    } else {
      chunk.resize(std::min(kChunkBytes, left));
      ssize_t count = -1;
      do {
        count = pread(fd_.get(), chunk.data(), chunk.size(), offset_);
      } while (count < 0 && errno == EINTR);
      if (count < 0) return from_errno("reading " + content_->file.string(), errno);
      chunk.resize(static_cast<size_t>(count));
    }
    offset_ += static_cast<int64_t>(chunk.size());
    return chunk;
  }

 private:
  Chunks(const LocalContent& content, int64_t offset) : content_(&content), offset_(offset) {}
  const LocalContent* content_;
  int64_t offset_;
  Fd fd_;
};

std::string title(const LocalContent& content) {
  return content.file.empty() ? "a list of files" : content.file.string();
}

Result<std::vector<v1::ContentState>> states(Server& server,
                                             const std::vector<LocalContent>& contents) {
  std::vector<v1::ContentState> all;
  for (size_t at = 0; at < contents.size();) {
    v1::StatContentRequest request;
    for (; at < contents.size() && request.sha256_size() < kMostAskedAtOnce; ++at) {
      request.add_sha256(contents[at].sha256);
    }
    PM_ASSIGN(auto response, server.content_states(request));
    for (v1::ContentState& state : *response.mutable_contents()) all.push_back(std::move(state));
  }
  if (all.size() == contents.size()) return all;
  return internal_error("the coordinator has not answered for every file");
}

Status send_once(Server& server, const LocalContent& content, int64_t offset) {
  PM_ASSIGN(Chunks chunks, Chunks::of(content, offset));
  v1::ContentHeader header;
  header.set_sha256(content.sha256);
  header.set_bytes(content.bytes);
  header.set_offset(offset);
  return server.upload_content(header, transfer_limit(content.bytes, server.timeout()),
                               [&] { return chunks.next(); });
}

// The state as it was last heard of, or why there is none.
Result<v1::ContentState> state_of(Server& server, const LocalContent& content) {
  PM_ASSIGN(auto all, states(server, {content}));
  return std::move(all.front());
}

Status send(Server& server, const LocalContent& content, v1::ContentState state) {
  for (int fruitless = 0;;) {
    if (state.complete()) return {};
    const Status sent = send_once(server, content, state.received_bytes());
    if (sent.ok()) return {};
    if (sent.code() == Code::kDataLoss) {
      return data_loss(sent.message() + "; has " + title(content) + " changed meanwhile?");
    }
    if (sent.code() != Code::kUnavailable) return sent.with_context("sending " + title(content));
    std::this_thread::sleep_for(backoff_delay(kBackoff, fruitless, 0));
    const auto now = state_of(server, content);
    const bool further = now.ok() && now->received_bytes() != state.received_bytes();
    fruitless = further ? 0 : fruitless + 1;
    if (fruitless == kFruitlessTries) return sent.with_context("sending " + title(content));
    if (now.ok()) state = *now;
  }
}

}  // namespace

Result<LocalContent> content_of_file(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  if (error) return from_errno("examining " + file.string(), error.value());
  PM_ASSIGN(std::string sha256, sha256_of_file(file));
  return LocalContent{std::move(sha256), static_cast<int64_t>(bytes), file};
}

Result<std::vector<LocalContent>> content_of_folder(const fs::path& folder) {
  PM_ASSIGN(const auto paths, files_below(folder));
  std::vector<LocalContent> contents;
  FolderList list;
  for (const std::string& path : paths) {
    PM_ASSIGN(LocalContent content, content_of_file(folder / path));
    list.push_back({path, content.bytes, content.sha256});
    contents.push_back(std::move(content));
  }
  LocalContent listed{.sha256 = {}, .file = {}, .text = print_folder_list(list)};
  listed.sha256 = sha256_hex(listed.text);
  listed.bytes = static_cast<int64_t>(listed.text.size());
  contents.push_back(std::move(listed));
  return contents;
}

Result<NamedContent> content_of(const fs::path& path) {
  const fs::path plain = path.has_filename() ? path : path.parent_path();
  NamedContent named;
  named.name.name = plain.filename().string();
  named.name.folder = fs::is_directory(path);
  if (named.name.folder) {
    PM_ASSIGN(named.contents, content_of_folder(path));
  } else {
    PM_ASSIGN(LocalContent content, content_of_file(path));
    named.contents.push_back(std::move(content));
  }
  named.name.sha256 = named.contents.back().sha256;
  PM_TRY(parse_content_name(to_string(named.name)).status());
  return named;
}

std::string sent_text(const Sent& sent) {
  return "sent " + std::to_string(sent.files) + (sent.files == 1 ? " file, " : " files, ") +
         short_bytes(sent.bytes);
}

Result<Sent> upload(Server& server, const std::vector<LocalContent>& contents) {
  PM_ASSIGN(const auto there, states(server, contents));
  Sent sent;
  std::set<std::string> done;
  for (size_t i = 0; i < contents.size(); ++i) {
    if (there[i].complete() || !done.insert(contents[i].sha256).second) continue;
    PM_TRY(send(server, contents[i], there[i]));
    if (!contents[i].file.empty()) sent.files += 1;
    sent.bytes += contents[i].bytes - there[i].received_bytes();
  }
  return sent;
}

}  // namespace prefixmem::client
