#include "worker/agent/attempt/trial_setup.h"

#include <utility>

#include "common/files.h"
#include "common/log.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

Status fetch(const std::optional<Artifact>& artifact, const TrialSetup& setup,
             const AttemptKey& key, const AttemptWorld& world, const std::stop_token& stop) {
  if (!artifact) return {};
  const std::filesystem::path file = setup.folder.out() / artifact->path;
  PM_TRY(make_folders(file.parent_path()));
  return retry_while_unavailable(world.options.transfer_backoff, stop, [&] {
    return world.store.fetch(key.job_id, *artifact, file, stop);
  });
}

Status fill(TrialSetup& setup, const Assignment& assignment, const LocalSpec& portable,
            const AttemptWorld& world, const std::stop_token& stop) {
  PM_TRY(write_file_atomic(setup.folder.portable(), portable.yaml));
  PM_TRY(write_file_atomic(setup.folder.spec(), setup.spec.yaml));
  for (const auto& checkpoint : {assignment.resume_from, assignment.resume_before}) {
    const Status status = fetch(checkpoint, setup, assignment.key, world, stop);
    if (status.ok()) break;
    if (status.code() != Code::kDataLoss) return status;
    setup.warnings.push_back(
        {0, "warning", checkpoint->path + " is damaged and passed over: " + status.message()});
  }
  PM_TRY(fetch(assignment.resume_metrics, setup, assignment.key, world, stop));
  const auto& user = world.options.job_user;
  return user ? give(setup.folder.out(), *user) : Status();
}

}  // namespace

Result<TrialSetup> set_up_trial(const Assignment& assignment, const AttemptWorld& world,
                                const std::stop_token& stop) {
  PM_TRY(check(assignment));
  const AttemptOptions& options = world.options;
  const auto fill_in = [&](const std::string& yaml) {
    return localize_spec(yaml, options.device, options.threads_per_rank);
  };
  PM_ASSIGN(const LocalSpec portable, fill_in(assignment.spec_yaml));
  PM_ASSIGN(LocalInputs inputs, world.inputs.localize(assignment.spec_yaml, stop));
  PM_ASSIGN(LocalSpec spec, fill_in(inputs.spec_yaml));
  PM_ASSIGN(AttemptFolder folder, AttemptFolder::create(options.work_dir, assignment.key));
  TrialSetup setup{std::move(folder), std::move(spec), std::move(inputs), {}};
  const Status filled = fill(setup, assignment, portable, world, stop);
  if (filled.ok()) return setup;
  const Status removed = setup.folder.remove();
  if (!removed.ok()) spdlog::warn("{}: {}", assignment.key.text(), removed.message());
  return filled;
}

}  // namespace prefixmem::agent
