#include <CLI/CLI.hpp>

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

Result<std::string> text_of(const v1::ListWorkersResponse& response, bool json) {
  if (json) return json_document(response);
  Table table({{"worker"},
               {"host"},
               {"state"},
               {"slots used", Align::kRight},
               {"device"},
               {"heartbeat", Align::kRight},
               {"version"},
               {"metrics"},
               {"jobs"},
               {"hardware"}});
  for (const v1::Worker& worker : response.workers()) {
    table.add({worker.id(), worker.host(), worker.state(),
               std::to_string(worker.used_slots()) + "/" + std::to_string(worker.slots()),
               worker.device(), short_seconds(worker.heartbeat_age_seconds()), worker.version(),
               worker.metrics_address(), joined(worker.job_ids()), joined(worker.device_names())});
  }
  return table.text();
}

Result<int> workers(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto response, server->workers());
  PM_ASSIGN(const std::string text, text_of(response, session.json()));
  PM_TRY(session.print(text));
  return kExitDone;
}

}  // namespace

Command add_workers(CLI::App& app) {
  return {app.add_subcommand("workers", "List the workers that the coordinator knows"), workers};
}

}  // namespace prefixmem::client
