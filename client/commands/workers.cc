#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <vector>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

template <class Texts>
std::string joined(const Texts& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

// "cordoned" is a state of its own while nothing else keeps it from taking jobs.
std::string state_text(const v1::Worker& worker) {
  const bool said = worker.state() == "cordoned" || !worker.cordoned();
  return worker.state() + (said ? "" : ", cordoned");
}

std::string host_text(const v1::Worker& worker) {
  if (worker.allocation().empty()) return worker.host();
  return worker.host() + "(" + worker.allocation() + ")";  // one word, for scripts
}

// Without a blank, for scripts.
std::string memory_text(const v1::Worker& worker) {
  if (worker.memory_bytes() == 0) return "-";
  std::string text = short_bytes(worker.memory_bytes());
  std::erase(text, ' ');
  return text;
}

Result<std::string> text_of(const v1::ListWorkersResponse& response, bool json) {
  if (json) return json_document(response);
  Table table({{"worker"},
               {"host"},
               {"state"},
               {"slots used", Align::kRight},
               {"memory", Align::kRight},
               {"device"},
               {"heartbeat", Align::kRight},
               {"version"},
               {"metrics"},
               {"jobs"},
               {"hardware"}});
  for (const v1::Worker& worker : response.workers()) {
    table.add({worker.id(), host_text(worker), state_text(worker),
               std::to_string(worker.used_slots()) + "/" + std::to_string(worker.slots()),
               memory_text(worker), worker.device(), short_seconds(worker.heartbeat_age_seconds()),
               worker.version(), worker.metrics_address(), joined(worker.job_ids()),
               joined(worker.device_names())});
  }
  return table.text();
}

Result<int> show(const v1::ListWorkersResponse& response, Session& session) {
  for (const v1::Worker& worker : response.workers()) {
    if (worker.unhealthy().empty()) continue;
    session.note("worker " + worker.id() + " takes no jobs: " + worker.unhealthy());
  }
  PM_ASSIGN(const std::string text, text_of(response, session.json()));
  PM_TRY(session.print(text));
  return kExitDone;
}

Result<int> list_workers(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto response, server->workers());
  if (response.workers().empty()) {
    session.note("no worker is connected; `pmt-worker --coordinator " + server->address() +
                 "` on a host makes it one");
  }
  return show(response, session);
}

// What an operator may ask of a worker.
struct Wish {
  const char* name;
  const char* about;
  Result<v1::Worker> (Server::*ask)(const std::string& worker_id);
};

constexpr std::array kWishes = {
    Wish{"cordon", "Have nothing more placed on a worker", &Server::cordon},
    Wish{"drain", "Cordon a worker and have its jobs go on elsewhere", &Server::drain},
    Wish{"uncordon", "Have jobs placed on a worker again", &Server::uncordon}};

Result<int> ask(const Wish& wish, const std::string& worker_id, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  v1::ListWorkersResponse asked;
  PM_ASSIGN(*asked.add_workers(), (server->*wish.ask)(worker_id));
  return show(asked, session);
}

}  // namespace

Command add_workers(CLI::App& app) {
  CLI::App* command = app.add_subcommand("workers", "List the workers, or take one out of service");
  command->require_subcommand(0, 1);
  const auto worker_id = std::make_shared<std::string>();
  std::vector<CLI::App*> asks;
  for (const Wish& wish : kWishes) {
    CLI::App* one = command->add_subcommand(wish.name, wish.about)->fallthrough();
    one->add_option("worker", *worker_id, "Id of the worker")->required();
    asks.push_back(one);
  }
  return {command, [worker_id, asks](Session& session) {
            for (size_t i = 0; i < asks.size(); ++i) {
              if (asks[i]->parsed()) return ask(kWishes.at(i), *worker_id, session);
            }
            return list_workers(session);
          }};
}

}  // namespace prefixmem::client
