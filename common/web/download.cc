#include "common/web/download.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>

namespace prefixmem::web {
namespace {

constexpr int kTries = 3;
constexpr size_t kMostBytes = size_t{1} << 30;  // of what is kept in memory
constexpr long kConnectSeconds = 30;
constexpr long kStallSeconds = 60;  // without a byte

struct Transfer {
  CURL* curl = nullptr;
  const std::function<Status(std::string_view)>& take;
  Status taken = {};

  long status() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
};

// Of a refusal the body is passed over. A whole file where a part of it was asked for does not come
// here: libcurl ends that by itself.
size_t on_bytes(const char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const long status = transfer.status();
  if (status < 400) transfer.taken = transfer.take({data, size * count});
  return transfer.taken.ok() ? size * count : 0;
}

// Called about once a second, however little comes.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(user)->stop_requested() ? 1 : 0;
}

bool passes(CURLcode code) {
  constexpr std::array kPassing = {CURLE_COULDNT_RESOLVE_PROXY,
                                   CURLE_COULDNT_RESOLVE_HOST,
                                   CURLE_COULDNT_CONNECT,
                                   CURLE_OPERATION_TIMEDOUT,
                                   CURLE_SSL_CONNECT_ERROR,
                                   CURLE_SEND_ERROR,
                                   CURLE_RECV_ERROR,
                                   CURLE_PARTIAL_FILE,
                                   CURLE_GOT_NOTHING,
                                   CURLE_HTTP2,
                                   CURLE_HTTP2_STREAM};
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

// What asking again will not change.
bool is_lasting(CURLcode code) {
  return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_PEER_FAILED_VERIFICATION;
}

void set_up(CURL* curl, const WebRequest& request, Transfer& transfer) {
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "prefixmem");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &request.stop);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (request.offset > 0) {
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(request.offset));
  }
  if (!request.token.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }
}

}  // namespace

WebAnswer fetch(const WebRequest& request, const std::function<Status(std::string_view)>& take) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   curl_easy_cleanup);
  if (ready != CURLE_OK || handle == nullptr) return {0, internal_error("libcurl does not start")};
  Transfer transfer{handle.get(), take};
  set_up(handle.get(), request, transfer);
  const CURLcode code = curl_easy_perform(handle.get());
  const long status = transfer.status();
  if (!transfer.taken.ok()) return {status, transfer.taken};
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return {status, cancelled("stopped while " + request.url + " was fetched")};
  }
  if (code == CURLE_OK || status >= 400) return {status, {}, status == 429 || status >= 500};
  const std::string sentence = request.url + " cannot be reached: " + curl_easy_strerror(code);
  if (is_lasting(code)) return {status, failed_precondition(sentence)};
  return {status, unavailable(sentence), passes(code), code == CURLE_RANGE_ERROR};
}

Result<std::string> download(const std::string& url, const BackoffPolicy& pauses) {
  for (int tries = 1;; ++tries) {
    std::string body;
    const WebAnswer answer = fetch({url}, [&](std::string_view bytes) -> Status {
      if (body.size() + bytes.size() > kMostBytes) {
        return resource_exhausted(url + " holds more than " + std::to_string(kMostBytes) +
                                  " bytes");
      }
      body += bytes;
      return {};
    });
    if (answer.whole()) return body;
    if (answer.may_pass && tries < kTries) {
      std::this_thread::sleep_for(backoff_delay(pauses, tries - 1, 1));
      continue;
    }
    PM_TRY(Status(answer.end));
    return not_found(url + " answers " + std::to_string(answer.status));
  }
}

}  // namespace prefixmem::web
