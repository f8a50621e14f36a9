#include "worker/agent/gang/event_server.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace prefixmem::agent {
namespace {

using nlohmann::json;

// The object behind the one key of a line; null where the line is none such.
json body_of(const std::string& line, const char* key) {
  json object = json::parse(line, nullptr, false);
  if (!object.is_object() || object.size() != 1 || !object.contains(key)) return nullptr;
  return object[key].is_object() ? object[key] : json();
}

// A whole number of at least 0 that the type holds; none: there is no such.
template <class Number>
std::optional<Number> number_of(const json& body, const char* key) {
  if (!body.is_object() || !body.contains(key) || !body[key].is_number_unsigned()) {
    return std::nullopt;
  }
  const auto number = body[key].get<uint64_t>();
  if (number > static_cast<uint64_t>(std::numeric_limits<Number>::max())) return std::nullopt;
  return static_cast<Number>(number);
}

}  // namespace

std::optional<RankCall> call_of(const std::string& line) {
  const json call = body_of(line, "call");
  const auto number = number_of<int64_t>(call, "number");
  const bool whole = number && call.contains("name") && call["name"].is_string() &&
                     call.contains("seconds") && call["seconds"].is_number();
  if (!whole) return std::nullopt;
  return RankCall{call["name"].get<std::string>(), *number, call["seconds"].get<double>()};
}

std::optional<Hello> hello_of(const std::string& line) {
  const json body = body_of(line, "hello");
  const auto rank = number_of<int>(body, "rank");
  if (!rank) return std::nullopt;
  Hello hello{.rank = *rank, .home = {}};
  hello.home.pid = number_of<pid_t>(body, "pid").value_or(0);
  if (body.contains("host") && body["host"].is_string()) hello.home.host = body["host"];
  return hello;
}

std::string to_line(const Hello& hello) {
  json body = {{"rank", hello.rank}, {"pid", hello.home.pid}};
  if (!hello.home.host.empty()) body["host"] = hello.home.host;
  return json{{"hello", std::move(body)}}.dump();
}

// Of the lines of all connections in one call of serve().
class EventServer::Reader final : public LineServer::Listener {
 public:
  Reader(EventServer& server, EventServer::Listener& listener)
      : server_(server), listener_(listener) {}

  Status on_line(int connection, const std::string& line) override {
    const auto known = server_.ranks_.find(connection);
    const int rank = known == server_.ranks_.end() ? -1 : known->second.number;
    if (rank < 0) {
      if (const auto hello = hello_of(line)) {
        join(connection, *hello);
        return {};
      }
    } else if (const auto call = call_of(line)) {
      listener_.on_rank_call(rank, *call);
      return {};
    }
    const auto event = trial_event_from_json(line);
    if (event.ok()) return listener_.on_event(*event);
    return listener_.on_event(
        {TrialEvent::kWholeGang,
         LogEvent{std::max(rank, 0), "warning",
                  "the trainer sent what is no event: " + event.status().message()}});
  }

  Status on_closed(int connection) override {
    const auto known = server_.ranks_.find(connection);
    if (known == server_.ranks_.end()) return {};
    const auto [number, here] = known->second;
    server_.ranks_.erase(known);
    server_.others_ -= here ? 0 : 1;
    listener_.on_rank_left(number);
    return {};
  }

 private:
  void join(int connection, const Hello& hello) {
    const bool here = hello.home.host.empty();
    server_.ranks_[connection] = {hello.rank, here};
    server_.others_ += here ? 0 : 1;
    listener_.on_rank_joined(hello.rank, hello.home);
  }

  EventServer& server_;
  EventServer::Listener& listener_;
};

Result<EventServer> EventServer::listen(const std::filesystem::path& socket) {
  PM_ASSIGN(LineServer lines, LineServer::listen(socket));
  return EventServer(std::move(lines));
}

Status EventServer::serve(Listener& listener) {
  Reader reader(*this, listener);
  return lines_.serve(reader);
}

bool EventServer::tell(int rank, std::string_view line) const {
  for (const auto& [connection, one] : ranks_) {
    if (one.number == rank) return lines_.tell(connection, line);
  }
  return false;
}

}  // namespace prefixmem::agent
