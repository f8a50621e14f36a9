#include "client/commands/estimate.h"

#include <map>

#include "client/exit_codes.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "client/submission/hub_models.h"
#include "common/proto/memory_proto.h"
#include "common/spec/paths.h"
#include "common/spec/spec_io.h"

namespace prefixmem::client {
namespace {

constexpr const char* kWanted =
    "model: memory is predicted from a folder's config.json; --set model=FOLDER gives one";

// The jobs whose settings are known: of a search those that its space does not reach.
Result<std::vector<JobSpec>> trials_of(JobSpec spec) {
  if (spec.sweep && spec.sweep->is_search()) {
    spec.sweep->space.clear();
    spec.sweep->tune_on.clear();
    spec.sweep->test.reset();
  }
  return expand_sweep(spec);
}

Result<std::vector<v1::JobMemory>> predicted_here(const JobSpec& spec) {
  PM_ASSIGN(const auto trials, trials_of(spec));
  std::map<std::string, ModelConfig> models;
  std::vector<v1::JobMemory> jobs;
  for (const JobSpec& trial : trials) {
    const auto [model, first] = models.try_emplace(trial.model);
    if (first) {
      auto config = read_model_config(std::filesystem::path(trial.model) / "config.json");
      if (!config.ok()) return config.status().with_context(kWanted);
      model->second = *std::move(config);
    }
    PM_ASSIGN(jobs.emplace_back(), job_memory(trial, model->second));
  }
  return jobs;
}

Result<std::vector<v1::JobMemory>> predicted_there(const std::string& yaml, Session& session) {
  PM_ASSIGN(const HubModels models, pin_hub_models(yaml, session.env.hub));
  v1::CheckJobRequest request;
  request.set_yaml(models.yaml);
  request.mutable_model_configs()->Add(models.configs.begin(), models.configs.end());
  request.set_memory(true);
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const v1::CheckJobResponse response, server->check(request));
  if (response.memory().empty()) {
    return failed_precondition(
        "model: the coordinator predicts no memory of it, having no config.json or being too old; "
        "--set model=FOLDER gives one");
  }
  return std::vector<v1::JobMemory>(response.memory().begin(), response.memory().end());
}

std::string text_of(const v1::JobMemory& job) {
  const v1::MemoryEstimate& rank = job.estimate();
  return fields({{"micro-batch", "at most " + whole(job.tokens()) + " tokens"},
                 {"weights", short_bytes(rank.weights())},
                 {"adapter", short_bytes(rank.adapter()) + " with gradients"},
                 {"optimizer", short_bytes(rank.optimizer())},
                 {"activations", short_bytes(rank.activations())},
                 {"working", short_bytes(rank.working())},
                 {"program", short_bytes(rank.program())},
                 {"each rank", short_bytes(rank.total())},
                 {"checkpointed", short_bytes(job.checkpointed().total()) +
                                      " with train.activation_checkpointing on"}});
}

std::string text_of(const std::vector<v1::JobMemory>& jobs) {
  if (jobs.size() == 1) return text_of(jobs.front());
  Table table({{"job"},
               {"method"},
               {"tokens", Align::kRight},
               {"weights", Align::kRight},
               {"trained", Align::kRight},
               {"activations", Align::kRight},
               {"working", Align::kRight},
               {"each rank", Align::kRight},
               {"checkpointed", Align::kRight}});
  for (const v1::JobMemory& job : jobs) {
    const v1::MemoryEstimate& rank = job.estimate();
    table.add({job.name(), job.method(), whole(job.tokens()), short_bytes(rank.weights()),
               short_bytes(rank.adapter() + rank.optimizer()), short_bytes(rank.activations()),
               short_bytes(rank.working()), short_bytes(rank.total()),
               short_bytes(job.checkpointed().total())});
  }
  return table.text();
}

}  // namespace

Result<int> explain_memory(const SpecFile& file, Session& session) {
  PM_ASSIGN(const std::string yaml, read_spec(file, session));
  PM_ASSIGN(const JobSpec spec, parse_job_spec(yaml));
  PM_ASSIGN(const auto jobs,
            spec::has_scheme(spec.model) ? predicted_there(yaml, session) : predicted_here(spec));
  v1::CheckJobResponse answer;
  answer.set_jobs(static_cast<int>(jobs.size()));
  *answer.mutable_memory() = {jobs.begin(), jobs.end()};
  PM_TRY(session.json() ? session.print_json(answer) : session.print(text_of(jobs)));
  return kExitDone;
}

}  // namespace prefixmem::client
