// A Hugging Face Hub on loopback that has one model, org/tiny, whose branch main is one commit.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/http/http_server.h"
#include "common/hub/hub.h"

namespace prefixmem {
namespace fake_hub {

// As `git hash-object` names "{}".
inline constexpr const char* kBlobOfConfig = "9e26dfeeb6e641a33dae4961196235bdb965b21b";

// Files as the Hub lists them.
nlohmann::json small(const std::string& path, const std::string& blob = kBlobOfConfig,
                     int bytes = 2);
nlohmann::json large(const std::string& path, const std::string& bytes);
std::string answer_of(const nlohmann::json& files);
template <class... File>
std::string answer(const File&... file) {
  nlohmann::json files = nlohmann::json::array();
  (files.push_back(file), ...);
  return answer_of(files);
}

}  // namespace fake_hub

class FakeHub {
 public:
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
  static constexpr const char* kWeights = "model.safetensors";

  FakeHub();

  Hub as_seen_by_a_client() const;
  // Files and revisions that were asked for, with the range where one was.
  std::vector<std::string> asked();
  void forget_requests();
  // What was shown for the weights; empty: none.
  std::string shown();

  // Changed while nobody asks.
  std::map<std::string, std::string> bytes = {{"config.json", "{}"}, {kWeights, "weights"}};
  std::string listed =
      fake_hub::answer(fake_hub::small("config.json"), fake_hub::large(kWeights, "weights"));
  std::string token;     // that it wants; empty: none
  int broken = 0;        // answers with weights that break off
  bool stalls = false;   // weights never come to their end
  std::string leads_to;  // another endpoint that weights come from; empty: none

 private:
  Result<HttpServer::Answer> list(const HttpRequest& request);
  Result<HttpServer::Answer> give(const HttpRequest& request);
  void note(const HttpRequest& request);

  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::string shown_;
  std::unique_ptr<HttpServer> server_;  // last: its threads use the others
};

}  // namespace prefixmem
