#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/channel/backup_folder.h"
#include "client/commands/commands.h"
#include "client/commands/tool.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"

namespace prefixmem::client {
namespace {

constexpr Millis kLimit = std::chrono::hours(24);

struct BackupOptions {
  std::string out;
  std::string backup;
  std::string data_dir;
};

std::filesystem::path folder_of(const BackupOptions& options, const Session& session) {
  if (!options.out.empty()) return session.env.working_folder / options.out;
  const auto seconds = static_cast<std::time_t>(to_unix_millis(session.env.clock.wall()) / 1000);
  return session.env.working_folder /
         fmt::format("prefixmem-backup-{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds));
}

Status report(const BackupFolder& backup, const std::filesystem::path& folder, Session& session) {
  if (session.json()) {
    const nlohmann::ordered_json json = {{"folder", folder.string()},
                                         {"files", backup.files()},
                                         {"bytes", backup.bytes()},
                                         {"received_bytes", backup.received()}};
    return session.print(json.dump(2) + "\n");
  }
  session.note(
      fmt::format("{} holds the coordinator's database and {} files, {}; {} of them were "
                  "sent",
                  folder.string(), backup.files(), short_bytes(backup.bytes()),
                  short_bytes(backup.received())));
  return {};
}

Result<int> back_up(const BackupOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  const std::filesystem::path folder = folder_of(options, session);
  PM_ASSIGN(BackupFolder backup, BackupFolder::open(folder));
  PM_TRY(server->back_up(backup.request(), kLimit,
                         [&](const auto& message) { return backup.take(message); }));
  PM_TRY(backup.complete());
  PM_TRY(report(backup, folder, session));
  return kExitDone;
}

}  // namespace

Command add_backup(CLI::App& admin) {
  auto options = std::make_shared<BackupOptions>();
  CLI::App* command = admin.add_subcommand("backup", "Copy all that the coordinator keeps");
  command->add_option("--out", options->out, "Folder, new or of an earlier backup");
  command->fallthrough();
  return {command, [options](Session& session) { return back_up(*options, session); }};
}

Command add_restore(CLI::App& admin) {
  auto options = std::make_shared<BackupOptions>();
  CLI::App* command = admin.add_subcommand(
      "restore", "Put a backup in place of the store of a coordinator that does not run");
  command->add_option("backup", options->backup, "Folder of the backup")->required();
  command
      ->add_option("--data-dir", options->data_dir, "Data folder of the coordinator, on this host")
      ->required();
  command->fallthrough();
  return {command, [options](Session&) {
            return run_tool(kCoordinatorTool,
                            {"restore", options->backup, "--data-dir", options->data_dir});
          }};
}

}  // namespace prefixmem::client
