#include "client/benchmarks/download.h"

#include <curl/curl.h>

#include <memory>
#include <thread>

namespace prefixmem::client {
namespace {

constexpr int kTries = 3;
constexpr curl_off_t kMostBytes = curl_off_t{1} << 30;
constexpr long kConnectSeconds = 30;
constexpr long kStallSeconds = 60;  // without a byte

size_t append(const char* data, size_t size, size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (static_cast<curl_off_t>(text.size() + size * count) > kMostBytes) return 0;
  text.append(data, size * count);
  return size * count;
}

struct Answer {
  CURLcode code = CURLE_OK;
  long status = 0;  // of HTTP; 0 of a file
  std::string body;

  bool is_whole() const { return code == CURLE_OK && (status == 0 || status == 200); }
  bool may_pass() const {
    if (code == CURLE_OK) return status == 429 || status >= 500;
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING;
  }
  Status failure(const std::string& url) const {
    if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
      return resource_exhausted(url + " holds more than " + std::to_string(kMostBytes) + " bytes");
    }
    if (code == CURLE_OK) return not_found(url + " answers " + std::to_string(status));
    return unavailable(url + " cannot be reached: " + curl_easy_strerror(code));
  }
};

Answer get(const std::string& url) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  Answer answer{ready, 0, ""};
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   curl_easy_cleanup);
  if (ready != CURLE_OK || handle == nullptr) return {CURLE_FAILED_INIT, 0, ""};
  CURL* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, kMostBytes);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "prefixmem");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  answer.code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace

Result<std::string> download(const std::string& url, const BackoffPolicy& pauses) {
  Answer answer = get(url);
  for (int retry = 0; retry + 1 < kTries && answer.may_pass(); ++retry) {
    std::this_thread::sleep_for(backoff_delay(pauses, retry, 1));
    answer = get(url);
  }
  if (!answer.is_whole()) return answer.failure(url);
  return std::move(answer.body);
}

}  // namespace prefixmem::client
