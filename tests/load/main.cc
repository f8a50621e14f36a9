// Loads a running coordinator with workers, watchers and clients, and prints a JSON object a length
// of the queue. Exit code 1 where an event is lost, a stream breaks or a call is refused.
#include <fmt/format.h>
#include <grpcpp/create_channel.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/load/fleet.h"
#include "tests/load/process_usage.h"
#include "tests/load/submitters.h"
#include "tests/load/watchers.h"

namespace prefixmem::load {
namespace {

struct Options {
  std::string server;
  int pid = 0;
  FleetOptions fleet{.workers = 1000, .events_per_second = 2000, .steps = 20};
  int watchers = 200, stuck = 20, clients = 8;
  std::vector<int64_t> queue = {1000, 10000, 100000};
  double seconds = 30;
};

std::shared_ptr<grpc::Channel> dial(const std::string& server,
                                    grpc::ChannelArguments arguments = {}) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

// One whose streams take in next to nothing that is not read: all events of a job are fewer bytes
// than what gRPC takes in otherwise, and no write would ever wait for a watcher that is stuck.
std::shared_ptr<grpc::Channel> dial_narrowly(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // or the window would grow
  return dial(server, arguments);
}

nlohmann::ordered_json json_of(const LatencySummary& summary) {
  return {{"count", summary.count},
          {"p50", summary.p50},
          {"p99", summary.p99},
          {"worst", summary.worst}};
}

int run(const Options& options) {
  const auto connect = [&] { return dial(options.server); };
  FleetRecord record;
  Watchers watchers(connect(), options.watchers, dial_narrowly(options.server), options.stuck);
  record.on_assigned = [&](const std::string& job) { watchers.watch(job); };
  const Fleet fleet(options.fleet, connect, record);
  Submitters submitters(options.clients, connect, [&] { return record.assigned.load(); });
  for (const int64_t length : options.queue) {
    record.jobs_end = false;  // or the queue might be emptied as fast as it is filled
    submitters.fill_to(length);
    const LatencySummary filling = submitters.latency.take();
    record.dispatch.take();
    watchers.delay.take();
    record.jobs_end = true;
    const ProcessUsage before = usage_of(options.pid);
    const int64_t events = record.events, assigned = record.assigned;
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));  // the measurement
    const ProcessUsage after = usage_of(options.pid);
    const auto dispatched = static_cast<double>(record.assigned - assigned);
    const nlohmann::ordered_json line = {
        {"queued", length},
        {"workers", record.registered.load()},
        {"events_per_second", static_cast<double>(record.events - events) / options.seconds},
        {"dispatches_per_second", dispatched / options.seconds},
        {"submit_while_filling", json_of(filling)},
        {"submit", json_of(submitters.latency.take())},
        {"dispatch", json_of(record.dispatch.take())},
        {"watch", json_of(watchers.delay.take())},
        {"cpu_seconds_per_dispatch", (after.cpu_seconds - before.cpu_seconds) / dispatched},
        {"resident_bytes", after.resident_bytes},
        {"gaps", watchers.gaps.load()},
        {"followed_to_end", watchers.followed_to_end.load()},
        {"refused", submitters.refused.load()},
        {"broken_streams", record.broken_streams + watchers.broken_streams}};
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
  }
  const bool whole = watchers.gaps == 0 && watchers.followed_to_end > 0 &&
                     submitters.refused == 0 && record.broken_streams == 0 &&
                     watchers.broken_streams == 0 && record.registered == options.fleet.workers;
  return whole ? 0 : 1;
}

}  // namespace
}  // namespace prefixmem::load

int main(int argc, char** argv) {
  prefixmem::load::Options options;
  CLI::App app("Loads a coordinator and measures how it answers.");
  app.add_option("--server", options.server, "HOST:PORT of its gRPC port")->required();
  app.add_option("--pid", options.pid, "Its process, whose time and memory are read")->required();
  app.add_option("--workers", options.fleet.workers, "Of one slot each")->capture_default_str();
  app.add_option("--events", options.fleet.events_per_second, "A second, of all workers")
      ->capture_default_str();
  app.add_option("--steps", options.fleet.steps, "Of a job")->capture_default_str();
  app.add_option("--watchers", options.watchers, "Streams of events")->capture_default_str();
  app.add_option("--stuck", options.stuck, "Of them, that stop reading")->capture_default_str();
  app.add_option("--clients", options.clients, "That submit")->capture_default_str();
  app.add_option("--queue", options.queue, "Lengths of the queue, rising")->delimiter(',');
  app.add_option("--seconds", options.seconds, "To measure at each")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return prefixmem::load::run(options);
}
