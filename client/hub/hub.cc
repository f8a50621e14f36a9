#include "client/hub/hub.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <thread>

#include "client/hub/revision.h"
#include "client/render/numbers.h"
#include "client/web/download.h"
#include "common/content/model_name.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

constexpr int kFruitlessTries = 5;
constexpr size_t kMostListed = size_t{64} << 20;
constexpr size_t kMostSmall = size_t{1} << 30;  // what git itself keeps is no larger

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Git's: of a header and the bytes. Weak, but a small file comes from the host that names it.
Result<std::string> git_blob_of(const fs::path& file) {
  PM_ASSIGN(const std::string bytes, read_file(file, kMostSmall));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> md(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  const std::string header = "blob " + std::to_string(bytes.size()) + '\0';
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool made = md && EVP_DigestInit_ex(md.get(), EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(md.get(), header.data(), header.size()) == 1 &&
                    EVP_DigestUpdate(md.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(md.get(), digest.data(), &size) == 1;
  if (!made) return internal_error("OpenSSL has no SHA-1");
  return to_hex(digest.data(), size);
}

Result<bool> is_what_is_named(const fs::path& path, const HubFile& file) {
  PM_ASSIGN(const std::string digest,
            file.sha256.empty() ? git_blob_of(path) : sha256_of_file(path));
  return digest == (file.sha256.empty() ? file.blob : file.sha256);
}

int64_t bytes_of(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

// One model of one Hub.
class Fetcher {
 public:
  Fetcher(const Hub& hub, const HubName& name) : hub_(hub), name_(name) {}

  Result<HubRevision> revision() const {
    const std::string url =
        hub_.endpoint + "/api/models/" + name_.repository + "/revision/" + name_.revision;
    std::string text;
    const auto keep = [&](std::string_view bytes) -> Status {
      if (text.size() + bytes.size() > kMostListed) return data_loss("its answer is too long");
      text += bytes;
      return {};
    };
    for (int tries = 1;; ++tries) {
      text.clear();
      const WebAnswer answer = fetch({url + "?blobs=true", hub_.token}, keep);
      if (answer.whole()) return parse_revision(text);
      PM_TRY(go_on_after(answer, tries));
    }
  }

  // Whole and checked, or not there.
  Status bring(const HubFile& file, const std::string& commit, const fs::path& folder) const {
    const fs::path whole = folder / file.path;
    const fs::path part = folder / (file.path + ".part");
    PM_TRY(complete({url_of(file, commit), hub_.token}, part, file.bytes));
    PM_ASSIGN(const bool sound, is_what_is_named(part, file));
    if (sound) return publish_file(part, whole);
    PM_TRY(remove_tree(part));
    return data_loss(file.path + " arrived with another digest than the Hub names; try again");
  }

 private:
  std::string url_of(const HubFile& file, const std::string& commit) const {
    return hub_.endpoint + "/" + name_.repository + "/resolve/" + commit + "/" + file.path;
  }

  // OK: asking again may help, and a while has passed.
  Status go_on_after(const WebAnswer& answer, int tries) const {
    if (answer.may_pass && tries < kFruitlessTries) {
      std::this_thread::sleep_for(backoff_delay(hub_.pauses, tries - 1, 1));
      return {};
    }
    PM_TRY(Status(answer.end));
    if (answer.status == 401 || answer.status == 403) {
      return failed_precondition(
          hub_.endpoint + " does not show it to " +
          (hub_.token.empty() ? "everybody" : "the account of the token that is given") +
          "; allowed: in HF_TOKEN, a token of an account that may read it (and has accepted its "
          "licence, where it asks for that)");
    }
    if (answer.status == 404) return not_found(hub_.endpoint + " has no such model or revision");
    return unavailable(hub_.endpoint + " answers " + std::to_string(answer.status));
  }

  // `part` has all bytes when it returns OK. Tries that bring some are not counted.
  Status complete(WebRequest request, const fs::path& part, int64_t bytes) const {
    bool goes_on = true;  // whether the server gives the rest of a file
    for (int fruitless = 1;; ++fruitless) {
      request.offset = bytes_of(part);
      if (request.offset == bytes && fs::exists(part)) return {};
      if (!goes_on || request.offset > bytes) request.offset = 0;
      const WebAnswer answer = append(request, part);
      if (answer.whole_only) {
        goes_on = false;
        continue;
      }
      const int64_t now = bytes_of(part);
      if (answer.whole() && now != bytes) {
        PM_TRY(remove_tree(part));
        return data_loss(request.url + " gave " + std::to_string(now) + " bytes; the Hub names " +
                         std::to_string(bytes));
      }
      if (goes_on && now > request.offset) fruitless = 0;
      if (!answer.whole()) PM_TRY(go_on_after(answer, fruitless));
    }
  }

  static WebAnswer append(const WebRequest& request, const fs::path& part) {
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (request.offset > 0 ? O_APPEND : O_TRUNC);
    const Fd file(open(part.c_str(), flags, 0644));
    if (!file.valid()) return {0, from_errno("opening " + part.string(), errno)};
    return fetch(request, [&](std::string_view bytes) {
      return write_all(file.get(), bytes, part.string());
    });
  }

  const Hub& hub_;
  const HubName& name_;
};

// Before anything is fetched that could not be sent.
Status check_files(const HubName& name, const HubRevision& revision) {
  FolderList files;
  std::string ggufs;
  int count = 0;
  for (const HubFile& file : revision.files) {
    files.push_back({file.path, file.bytes, file.sha256});
    if (!file.path.ends_with(".gguf")) continue;
    ggufs += (ggufs.empty() ? "" : ", ") + file.path;
    ++count;
  }
  if (count < 2) return check_model_folder({{}, name.name(), true}, files);
  return failed_precondition("it has no safetensors and " + std::to_string(count) +
                             " GGUF files (" + ggufs +
                             "); allowed: one; fetch the one wanted by hand and add that");
}

Result<fs::path> fetch_all(const Hub& hub, const HubName& name,
                           const std::function<void(const std::string&)>& note) {
  const Fetcher fetcher(hub, name);
  PM_ASSIGN(const HubRevision revision, fetcher.revision());
  PM_TRY(check_files(name, revision));
  const fs::path base = hub.folder / name.organisation() / revision.commit;
  const fs::path folder = base / name.name();
  PM_TRY(make_folders(folder));
  PM_ASSIGN(const FileLock lock, FileLock::acquire(base / "lock"));
  for (const HubFile& file : revision.files) {
    if (fs::exists(folder / file.path)) continue;
    note("fetching " + file.path + " of " + name.text() + ", " + short_bytes(file.bytes));
    PM_TRY(fetcher.bring(file, revision.commit, folder));
  }
  return folder;
}

}  // namespace

Hub hub_of_environment(const fs::path& cache_folder) {
  Hub hub;
  hub.folder = cache_folder / "hub";
  if (const std::string other = environment("HF_ENDPOINT"); !other.empty()) hub.endpoint = other;
  while (hub.endpoint.ends_with('/')) hub.endpoint.pop_back();
  hub.token = environment("HF_TOKEN");
  if (!hub.token.empty()) return hub;
  fs::path home = environment("HF_HOME");
  if (home.empty()) home = fs::path(environment("HOME")) / ".cache" / "huggingface";
  fs::path file = environment("HF_TOKEN_PATH");
  if (file.empty()) file = home / "token";
  auto kept = read_file(file, 4096);
  if (!kept.ok()) return hub;  // nobody has logged in
  while (!kept->empty() && std::isspace(static_cast<unsigned char>(kept->back())) != 0) {
    kept->pop_back();
  }
  hub.token = *std::move(kept);
  return hub;
}

Result<fs::path> fetch_model(const Hub& hub, const HubName& name,
                             const std::function<void(const std::string&)>& note) {
  auto folder = fetch_all(hub, name, note);
  if (!folder.ok()) return folder.status().with_context(name.text());
  return folder;
}

}  // namespace prefixmem::client
