#include "tests/unit/common/fake_hub.h"

#include <optional>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/sha256.h"

namespace prefixmem {
namespace fake_hub {

using nlohmann::json;

json small(const std::string& path, const std::string& blob, int bytes) {
  return {{"rfilename", path}, {"blobId", blob}, {"size", bytes}};
}

json large(const std::string& path, const std::string& bytes) {
  return {{"rfilename", path},
          {"blobId", kBlobOfConfig},
          {"size", bytes.size()},
          {"lfs", {{"sha256", sha256_hex(bytes)}, {"size", bytes.size()}}}};
}

std::string answer_of(const json& files) {
  return json{{"sha", FakeHub::kCommit}, {"siblings", files}}.dump();
}

}  // namespace fake_hub

FakeHub::FakeHub() {
  auto server = HttpServer::start(
      {"127.0.0.1", 0},
      {{"/api/models/org/tiny/revision/([^/]*)", [this](const auto& asked) { return list(asked); }},
       {"/org/tiny/resolve/" + std::string(kCommit) + "/(.*)",
        [this](const auto& asked) { return give(asked); }}},
      {.most_streams = 4});
  server_ = *std::move(server);
}

Hub FakeHub::as_seen_by_a_client() const {
  Hub hub;
  hub.endpoint = "http://" + server_->address();
  hub.pauses = {Millis(1), Millis(1), 1, 0};
  return hub;
}

std::vector<std::string> FakeHub::asked() {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::string FakeHub::shown() {
  const std::lock_guard lock(mutex_);
  return shown_;
}

void FakeHub::forget_requests() {
  const std::lock_guard lock(mutex_);
  asked_.clear();
}

Result<HttpServer::Answer> FakeHub::list(const HttpRequest& request) {
  note(request);
  const std::string& revision = request.parts.at(0);
  if (revision != "main" && revision != kCommit) return not_found("no such revision");
  return HttpServer::Answer(Page{listed, "application/json"});
}

Result<HttpServer::Answer> FakeHub::give(const HttpRequest& request) {
  note(request);
  const std::string& path = request.parts.at(0);
  if (!token.empty() && request.header("authorization") != "Bearer " + token) {
    return HttpServer::Answer(Page{"gated", kPlainText, 401});
  }
  const std::lock_guard lock(mutex_);
  const std::string& whole = bytes.at(path);
  if (path == kWeights) shown_ = request.header("authorization");
  if (path == kWeights && !leads_to.empty()) {
    return HttpServer::Answer(Page{"", kPlainText, 302, {{"Location", leads_to + request.path}}});
  }
  if (path != kWeights || (broken == 0 && !stalls)) {
    return HttpServer::Answer(Page{whole, "application/octet-stream"});
  }
  if (!stalls) --broken;
  auto begun = std::make_shared<bool>(false);
  return HttpServer::Answer(
      HttpStream{"application/octet-stream", "",
                 [begun, whole, stalls = stalls]() -> Result<std::optional<std::string>> {
                   if (!std::exchange(*begun, true)) return std::optional(whole.substr(0, 3));
                   if (stalls) {
                     std::this_thread::sleep_for(Millis(5));  // it would be asked again at once
                     return std::optional(std::string());
                   }
                   return unavailable("the test broke it");
                 }});
}

void FakeHub::note(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  const std::string range = request.header("range");
  asked_.push_back(request.parts.at(0) + (range.empty() ? "" : " " + range));
}

}  // namespace prefixmem
