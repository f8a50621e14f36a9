#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

struct Options {
  std::string tenant;
  int weight = 1;
  // 0: no bound.
  int slots = 0;
  int queued_jobs = 0;
  double stored_gib = 0;
};

constexpr double kGib = 1 << 30;

// "3/8", or "3" where there is no bound.
std::string of_quota(const std::string& used, bool bounded, const std::string& most) {
  return bounded ? used + "/" + most : used;
}

Result<std::string> text_of(const v1::ListTenantsResponse& response, bool json) {
  if (json) return json_document(response);
  Table table({{"tenant"},
               {"weight", Align::kRight},
               {"slots used", Align::kRight},
               {"of late", Align::kRight},
               {"jobs waiting", Align::kRight},
               {"stored", Align::kRight}});
  for (const v1::Tenant& tenant : response.tenants()) {
    const v1::Quota& quota = tenant.quota();
    table.add({tenant.name(), std::to_string(tenant.weight()),
               of_quota(std::to_string(tenant.used_slots()), quota.has_slots(),
                        std::to_string(quota.slots())),
               fmt::format("{:.1f}", tenant.recent_slots()),
               of_quota(std::to_string(tenant.queued_jobs()), quota.has_queued_jobs(),
                        std::to_string(quota.queued_jobs())),
               of_quota(short_bytes(tenant.stored_bytes()), quota.has_stored_bytes(),
                        short_bytes(quota.stored_bytes()))});
  }
  return table.text();
}

Result<int> show(const v1::ListTenantsResponse& response, Session& session) {
  PM_ASSIGN(const std::string text, text_of(response, session.json()));
  PM_TRY(session.print(text));
  return kExitDone;
}

Result<int> list_tenants(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto response, server->tenants());
  return show(response, session);
}

Result<int> set(const Options& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  v1::SetTenantRequest request;
  request.set_tenant(options.tenant);
  request.set_weight(options.weight);
  v1::Quota& quota = *request.mutable_quota();
  if (options.slots > 0) quota.set_slots(options.slots);
  if (options.queued_jobs > 0) quota.set_queued_jobs(options.queued_jobs);
  if (options.stored_gib > 0) {
    quota.set_stored_bytes(static_cast<int64_t>(options.stored_gib * kGib));
  }
  v1::ListTenantsResponse asked;
  PM_ASSIGN(*asked.add_tenants(), server->set_tenant(request));
  return show(asked, session);
}

}  // namespace

Command add_tenants(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("tenants", "List who shares the slots, or set their shares and quotas");
  command->require_subcommand(0, 1);
  const auto options = std::make_shared<Options>();
  CLI::App* change =
      command->add_subcommand("set", "Set the share and the quotas of a tenant")->fallthrough();
  change->add_option("tenant", options->tenant, "Its name; a new one is made")->required();
  change->add_option("--weight", options->weight, "Its share beside the weights of others")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  change->add_option("--slots", options->slots, "That its jobs hold together; 0: any number")
      ->check(CLI::Range(0, 1'000'000));
  change->add_option("--queued-jobs", options->queued_jobs, "That wait at a time; 0: any number")
      ->check(CLI::Range(0, 100'000'000));
  change->add_option("--stored-gib", options->stored_gib, "Of its jobs' files; 0: any number")
      ->check(CLI::Range(0.0, 1e9));
  return {command, [options, change](Session& session) {
            return change->parsed() ? set(*options, session) : list_tenants(session);
          }};
}

}  // namespace prefixmem::client
