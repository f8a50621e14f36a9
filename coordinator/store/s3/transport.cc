#include "coordinator/store/s3/transport.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "common/id.h"
#include "common/sha256.h"
#include "coordinator/store/s3/xml.h"

namespace prefixmem::store::s3 {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kStallSeconds = 20;  // without a byte
constexpr size_t kMostIdle = 32;

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// What libcurl reads and writes while a request is under way.
struct Exchange {
  const Request& request;
  const std::atomic<bool>& stopped;
  int64_t sent = 0;    // of the file
  int read_error = 0;  // of the file
  bool too_long = false;
  Answer answer = {};
  std::array<char, CURL_ERROR_SIZE> reason = {};
};

size_t take_body(const char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string& body = exchange.answer.body;
  exchange.too_long = body.size() + size * count > exchange.request.most;
  if (exchange.too_long) return 0;
  body.append(data, size * count);
  return size * count;
}

size_t take_header(const char* data, size_t size, size_t count, void* user) {
  const std::string_view line(data, size * count);
  constexpr std::string_view kTag = "etag:";
  if (line.size() > kTag.size() && strncasecmp(data, kTag.data(), kTag.size()) == 0) {
    const std::string_view value = line.substr(kTag.size());
    const size_t start = std::min(value.find_first_not_of(' '), value.size());
    const size_t end = value.find_last_not_of("\r\n ") + 1;
    if (end > start) static_cast<Exchange*>(user)->answer.etag = value.substr(start, end - start);
  }
  return line.size();
}

size_t give_file(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const FilePart& file = exchange.request.file;
  const auto most = std::min(static_cast<int64_t>(size * count), file.bytes - exchange.sent);
  const ssize_t got =
      ::pread(file.fd, data, static_cast<size_t>(most), file.offset + exchange.sent);
  if (got < 0 || (got == 0 && most > 0)) {
    exchange.read_error = got < 0 ? errno : EIO;
    return CURL_READFUNC_ABORT;
  }
  exchange.sent += got;
  return static_cast<size_t>(got);
}

// libcurl begins anew where a connection that was kept turns out to be closed.
int rewind_file(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(user)->sent = offset;
  return CURL_SEEKFUNC_OK;
}

int go_on(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->stopped ? 1 : 0;
}

Headers headers_of(const Options& options, const Request& request) {
  Headers headers(nullptr, curl_slist_free_all);
  const auto add = [&](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  const bool is_file = request.file.fd >= 0;
  add("x-amz-content-sha256: " + (is_file ? request.sha256 : sha256_hex(request.body)));
  if (!options.credentials.session_token.empty()) {
    add("x-amz-security-token: " + options.credentials.session_token);
  }
  if (!request.range.empty()) add("Range: bytes=" + request.range);
  if (!request.body.empty()) add("Content-Type: application/xml");
  return headers;
}

void set_method(CURL* curl, Exchange& exchange) {
  const Request& request = exchange.request;
  const std::string_view method = request.method;
  if (request.file.fd >= 0) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t{request.file.bytes});
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_file);
    curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_file);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &exchange);
  } else if (method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (method == "POST" || method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method);
  } else {
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method);
  }
}

void set_signature(CURL* curl, const Options& options) {
  curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, ("aws:amz:" + options.region + ":s3").c_str());
  curl_easy_setopt(curl, CURLOPT_USERNAME, options.credentials.access_key.c_str());
  curl_easy_setopt(curl, CURLOPT_PASSWORD, options.credentials.secret_key.c_str());
}

void set_connection(CURL* curl, const Options& options, const Request& request) {
  const std::string url = options.endpoint + target_of(options.bucket, request);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "prefixmem");
  if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
}

void set_callbacks(CURL* curl, Exchange& exchange) {
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, go_on);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange.reason.data());
}

std::string name_of(const Options& options, const Request& request) {
  return fmt::format("s3://{}/{}", options.bucket, request.key);
}

// What is wrong here, not there, and stays so.
bool is_lasting(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_FAILED_INIT || code == CURLE_OUT_OF_MEMORY;
}

Status broken(const Options& options, const Exchange& exchange, CURLcode code) {
  const std::string name = name_of(options, exchange.request);
  if (exchange.stopped) return unavailable(name + ": the coordinator is about to end");
  if (exchange.read_error != 0) {
    return from_errno(name + ": reading the file to be sent", exchange.read_error);
  }
  if (exchange.too_long) {
    return data_loss(
        fmt::format("{} has more than the expected {} bytes", name, exchange.request.most));
  }
  const char* reason =
      exchange.reason[0] != '\0' ? exchange.reason.data() : curl_easy_strerror(code);
  const std::string text =
      fmt::format("{}: {} cannot be reached: {}", name, options.endpoint, reason);
  return is_lasting(code) ? failed_precondition(text) : unavailable(text);
}

// What to look at, by S3's own code.
std::string hint(const Options& options, const std::string& code) {
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || code == "AccessDenied") {
    return "; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be those of somebody who may read, "
           "write, list and delete there";
  }
  if (code == "ExpiredToken" || code == "InvalidToken") {
    return "; AWS_SESSION_TOKEN must be that of the key, and not expired";
  }
  if (code == "RequestTimeTooSkewed") return "; set the clock of this host";
  if (code == "NoSuchBucket") return "; there is no bucket of that name at " + options.endpoint;
  if (code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed") {
    return "; --s3-region is " + options.region + ", the bucket's may be another";
  }
  return "";
}

Status refused(const Options& options, const Exchange& exchange) {
  const Answer& answer = exchange.answer;
  const std::string code = text_of(answer.body, "Code");
  const std::string said = text_of(answer.body, "Message");
  std::string text = fmt::format("{}: {} answers {}", name_of(options, exchange.request),
                                 exchange.request.method, answer.status);
  if (!code.empty()) text += " " + code;
  if (!said.empty()) text += ": " + said;
  text += hint(options, code);
  if (answer.status == 404 && code != "NoSuchBucket") return not_found(text);
  // Of an upload that came too slowly.
  const bool may_pass = answer.status >= 500 || answer.status == 429 || answer.status == 408 ||
                        code == "RequestTimeout";
  return may_pass ? unavailable(text) : failed_precondition(text);
}

}  // namespace

Transport::~Transport() {
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

void* Transport::take_handle() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return nullptr;
  const MutexLock lock(mutex_);
  if (idle_.empty()) return curl_easy_init();
  void* handle = idle_.back();
  idle_.pop_back();
  return handle;
}

void Transport::give_back(void* handle) {
  curl_easy_reset(handle);
  const MutexLock lock(mutex_);
  if (idle_.size() < kMostIdle) {
    idle_.push_back(handle);
  } else {
    curl_easy_cleanup(handle);
  }
}

Transport::Outcome Transport::send_once(const Request& request) {
  Exchange exchange{request, stopped_};
  CURL* curl = take_handle();
  if (curl == nullptr) return {internal_error("libcurl cannot be set up")};
  const Headers headers = headers_of(options_, request);
  set_connection(curl, options_, request);
  set_signature(curl, options_);
  set_method(curl, exchange);
  set_callbacks(curl, exchange);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(curl);
  curl_off_t length = -1;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange.answer.status);
  curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  exchange.answer.bytes = length;
  give_back(curl);
  if (code == CURLE_OK && exchange.answer.status / 100 == 2) return {std::move(exchange.answer)};
  Status status = code == CURLE_OK ? refused(options_, exchange) : broken(options_, exchange, code);
  const bool may_pass = status.code() == Code::kUnavailable;
  return {std::move(status), may_pass};
}

Result<Answer> Transport::send(const Request& request) {
  for (int retry = 0;; ++retry) {
    Outcome outcome = send_once(request);
    if (outcome.answer.ok() || !outcome.may_pass) return std::move(outcome.answer);
    if (retry + 1 >= options_.tries || !pause(retry)) return std::move(outcome.answer);
  }
}

bool Transport::pause(int retry) {
  const auto until =
      std::chrono::steady_clock::now() + backoff_delay(options_.pauses, retry, random_share());
  const MutexLock lock(mutex_);
  while (!stopped_ && changed_.wait_until(mutex_, until)) {
  }
  return !stopped_;
}

void Transport::stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace prefixmem::store::s3
