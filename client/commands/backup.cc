#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

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
  std::map<std::string, std::string> bucket;  // by flag; empty: not given
};

// Passed on to the coordinator's program, which has the same.
constexpr std::array<std::pair<const char*, const char*>, 3> kBucketFlags = {
    {{"--blobs", "s3://BUCKET[/PREFIX] of a coordinator whose files are in a bucket"},
     {"--s3-endpoint", "http[s]://HOST[:PORT] of the store with the bucket"},
     {"--s3-region", "Of the bucket"}}};

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
  for (const auto& [flag, text] : kBucketFlags) {
    command->add_option(flag, options->bucket[flag], text);
  }
  command->fallthrough();
  return {command, [options](Session&) {
            std::vector<std::string> words = {"restore", options->backup, "--data-dir",
                                              options->data_dir};
            for (const auto& [flag, value] : options->bucket) {
              if (!value.empty()) words.insert(words.end(), {flag, value});
            }
            return run_tool(kCoordinatorTool, words);
          }};
}

}  // namespace prefixmem::client
