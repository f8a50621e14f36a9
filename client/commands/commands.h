// The commands of pmt, one a file. Each add_… declares its name, arguments and options.
#pragma once

#include <functional>

#include "client/session.h"

namespace CLI {
class App;
}

namespace prefixmem::client {

struct Command {
  CLI::App* app = nullptr;  // its part of the command line
  // The exit code, or why it could not do its work.
  std::function<Result<int>(Session&)> run;
};

Command add_submit(CLI::App& app);
Command add_list(CLI::App& app);
Command add_show(CLI::App& app);
Command add_watch(CLI::App& app);
Command add_logs(CLI::App& app);
Command add_trace(CLI::App& app);
Command add_cancel(CLI::App& app);
Command add_remove(CLI::App& app);
Command add_pin(CLI::App& app);
Command add_unpin(CLI::App& app);
Command add_results(CLI::App& app);
Command add_download(CLI::App& app);
Command add_sweeps(CLI::App& app);
Command add_workers(CLI::App& app);
Command add_health(CLI::App& app);
Command add_models(CLI::App& app);
Command add_tenants(CLI::App& app);
Command add_verify(CLI::App& app);
Command add_export(CLI::App& app);
Command add_diagnose(CLI::App& app);
Command add_benchmarks(CLI::App& app);
Command add_explain(CLI::App& app);
Command add_admin(CLI::App& app);
Command add_backup(CLI::App& admin);
Command add_restore(CLI::App& admin);
Command add_version(CLI::App& app);

}  // namespace prefixmem::client
