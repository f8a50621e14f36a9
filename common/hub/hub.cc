#include "common/hub/hub.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "common/fd.h"
#include "common/files.h"
#include "common/id.h"
#include "common/sha256.h"
#include "common/web/download.h"

namespace prefixmem {
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
Result<std::string> git_blob_of(std::string_view bytes) {
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

const std::string& named_digest(const HubFile& file) {
  return file.sha256.empty() ? file.blob : file.sha256;
}

// Of the kind that the Hub names of the file.
Result<std::string> digest_of(const fs::path& path, const HubFile& file) {
  if (!file.sha256.empty()) return sha256_of_file(path);
  PM_ASSIGN(const std::string bytes, read_file(path, kMostSmall));
  return git_blob_of(bytes);
}

// For a URL. A file's path here has no '/'.
std::string escaped(std::string_view path) {
  std::string text;
  for (const unsigned char c : path) {
    const bool plain = std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
    text += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return text;
}

std::string without_space_around(std::string text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

// HF_TOKEN, or what `hf auth login` has kept, as huggingface_hub reads them; empty: none.
std::string token_of_account() {
  if (std::string token = without_space_around(environment("HF_TOKEN")); !token.empty()) {
    return token;
  }
  fs::path home = environment("HF_HOME");
  if (home.empty() && !environment("HOME").empty()) {
    home = fs::path(environment("HOME")) / ".cache" / "huggingface";
  }
  fs::path file = environment("HF_TOKEN_PATH");
  if (file.empty() && !home.empty()) file = home / "token";
  const auto kept = read_file(file, 4096);
  return kept.ok() ? without_space_around(*kept) : "";  // nobody has logged in
}

std::string without_slashes(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

int64_t bytes_of(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

using Came = std::function<void(const HubFile&, int64_t)>;

// One model of one Hub.
class Fetcher {
 public:
  Fetcher(const Hub& hub, const HubName& name) : hub_(hub), name_(name) {}

  Result<HubRevision> revision() const {
    PM_ASSIGN(const std::string answer, text_at(hub_.endpoint + "/api/models/" + name_.repository +
                                                    "/revision/" + name_.revision + "?blobs=true",
                                                kMostListed));
    PM_ASSIGN(HubRevision revision, parse_revision(answer));
    if (!name_.is_commit() || revision.commit == name_.revision) return revision;
    return data_loss(hub_.endpoint + " gives commit " + revision.commit + " in its place");
  }

  Result<std::string> text_of(const HubFile& file, const std::string& commit, int64_t most) const {
    PM_ASSIGN(std::string text, text_at(url_of(file, commit), static_cast<size_t>(most)));
    PM_ASSIGN(const std::string digest, file.sha256.empty() ? git_blob_of(text) : sha256_hex(text));
    if (digest == named_digest(file)) return text;
    return other_digest(file);
  }

  // Whole and checked, or not there.
  Status bring(const HubFile& file, const std::string& commit, const fs::path& folder,
               const Came& came) const {
    const fs::path whole = folder / file.path;
    const fs::path part = folder / (file.path + ".part");
    const auto now = [&](int64_t bytes) { came(file, bytes); };
    PM_TRY(complete({url_of(file, commit), hub_.token, 0, hub_.stop}, part, file.bytes, now));
    PM_ASSIGN(const std::string digest, digest_of(part, file));
    if (digest == named_digest(file)) return publish_file(part, whole);
    PM_TRY(remove_tree(part));
    return other_digest(file);
  }

 private:
  std::string url_of(const HubFile& file, const std::string& commit) const {
    return hub_.endpoint + "/" + name_.repository + "/resolve/" + commit + "/" + escaped(file.path);
  }

  static Status other_digest(const HubFile& file) {
    return data_loss(file.path + " arrived with another digest than the Hub names; try again");
  }

  Result<std::string> text_at(const std::string& url, size_t most) const {
    std::string text;
    const auto keep = [&](std::string_view bytes) -> Status {
      if (text.size() + bytes.size() > most) {
        return resource_exhausted(url + " holds more than " + std::to_string(most) + " bytes");
      }
      text += bytes;
      return {};
    };
    for (int tries = 1;; ++tries) {
      text.clear();
      const web::WebAnswer answer = web::fetch({url, hub_.token, 0, hub_.stop}, keep);
      if (answer.whole()) return text;
      PM_TRY(go_on_after(answer, tries));
    }
  }

  // OK: asking again may help, and a while has passed.
  Status go_on_after(const web::WebAnswer& answer, int tries) const {
    if (answer.may_pass && tries < kFruitlessTries) {
      const auto pause = backoff_delay(hub_.pauses, tries - 1, random_share());
      if (wait_unless_stopped(pause, hub_.stop)) return {};
      return cancelled("stopped between tries");
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
  Status complete(web::WebRequest request, const fs::path& part, int64_t bytes,
                  const std::function<void(int64_t)>& came) const {
    bool goes_on = true;  // whether the server gives the rest of a file
    for (int fruitless = 1;; ++fruitless) {
      request.offset = bytes_of(part);
      if (request.offset == bytes && fs::exists(part)) return {};
      if (!goes_on || request.offset > bytes) request.offset = 0;
      const web::WebAnswer answer = append(request, part, bytes, came);
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

  static web::WebAnswer append(const web::WebRequest& request, const fs::path& part, int64_t bytes,
                               const std::function<void(int64_t)>& came) {
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (request.offset > 0 ? O_APPEND : O_TRUNC);
    const Fd file(open(part.c_str(), flags, 0644));
    if (!file.valid()) return {0, from_errno("opening " + part.string(), errno)};
    int64_t there = request.offset;
    return web::fetch(request, [&](std::string_view piece) -> Status {
      there += static_cast<int64_t>(piece.size());
      came(there);
      if (there <= bytes) return write_all(file.get(), piece, part.string());
      return data_loss(request.url + " gives more bytes than the Hub names, " +
                       std::to_string(bytes));
    });
  }

  const Hub& hub_;
  const HubName& name_;
};

}  // namespace

Hub hub_of_environment() {
  Hub hub;
  const std::string other = environment("HF_ENDPOINT");
  if (!other.empty()) hub.endpoint = without_slashes(other);
  hub.token = token_of_account();
  return hub;
}

Result<Hub> hub_of_operator(const std::string& url) {
  Hub hub;
  hub.endpoint = without_slashes(url);
  hub.token = without_space_around(environment("HF_TOKEN"));
  const size_t host = hub.endpoint.find("://");
  const std::string scheme = hub.endpoint.substr(0, host);
  const bool named = host != std::string::npos && host + 3 < hub.endpoint.size();
  if (named && (scheme == "https" || scheme == "http") && url.find('@') == std::string::npos) {
    return hub;
  }
  return invalid_argument("the URL of the Hub is \"" + url.substr(0, url.find("://")) +
                          "…\"; allowed: https://HOST[:PORT][/PATH], or http, without a user");
}

Result<HubRevision> find_revision(const Hub& hub, const HubName& name) {
  return Fetcher(hub, name).revision();
}

Result<std::string> read_hub_file(const Hub& hub, const HubName& name, const HubRevision& revision,
                                  const std::string& path, int64_t most) {
  for (const HubFile& file : revision.files) {
    if (file.path == path) return Fetcher(hub, name).text_of(file, revision.commit, most);
  }
  return not_found("it has no " + path);
}

Result<fs::path> fetch_model(const Hub& hub, const HubName& name, const HubFetch& fetch) {
  const Fetcher fetcher(hub, name);
  PM_ASSIGN(const HubRevision revision, fetcher.revision());
  PM_TRY(check_hub_files(name, revision));
  int64_t bytes = 0;
  for (const HubFile& file : revision.files) bytes += file.bytes;
  PM_TRY(fetch.admit(bytes));
  const fs::path base = fetch.folder / name.organisation() / revision.commit;
  const fs::path folder = base / name.name();
  PM_TRY(make_folders(folder));
  PM_ASSIGN(const FileLock lock, FileLock::acquire(base / ".lock"));
  for (const HubFile& file : revision.files) {
    if (fs::exists(folder / file.path)) continue;
    fetch.note(file);
    PM_TRY(fetcher.bring(file, revision.commit, folder, fetch.came));
  }
  return folder;
}

}  // namespace prefixmem
