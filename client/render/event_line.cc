#include "client/render/event_line.h"

#include <fmt/format.h>

#include "client/render/job_text.h"
#include "client/render/numbers.h"
#include "client/render/text.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

std::string text_of(const v1::StateEvent& state) {
  return state_name(state.state()) + (state.reason().empty() ? "" : ": " + state.reason());
}

std::string text_of(const v1::PhaseEvent& phase) {
  if (phase.trainable_parameters() == 0) return phase.phase();
  return fmt::format("{}  {} trainable parameters, {} steps", phase.phase(),
                     short_count(static_cast<double>(phase.trainable_parameters())),
                     phase.total_steps());
}

std::string text_of(const v1::StepEvent& step, const JobView& view) {
  std::string text = fmt::format("step {}/{}  loss {}  lr {}", step.step(), step.total_steps(),
                                 figures(step.loss()), figures(step.learning_rate()));
  if (view.rate) text += fmt::format("  {} tok/s", short_count(*view.rate));
  if (view.eta) text += "  ETA " + short_seconds(*view.eta);
  return text;
}

std::string text_of(const v1::EvalEvent& eval) {
  return fmt::format("eval after step {}: {} {} of {} rows in {}", eval.step(), eval.metric(),
                     score(eval.metric(), eval.value()), eval.rows(),
                     short_seconds(eval.seconds()));
}

std::string text_of(const v1::ArtifactEvent& artifact) {
  const std::string& digest = artifact.state_digest();
  return fmt::format("{} {} ({}, step {}{})", artifact.kind(), artifact.path(),
                     short_bytes(artifact.bytes()), artifact.step(),
                     digest.empty() ? "" : ", state " + digest.substr(0, 12));
}

std::string text_of(const v1::LogEvent& log) {
  return fmt::format("{} rank {}: {}", log.level(), log.rank(), log.message());
}

std::string text_of(const v1::ResultEvent& result) {
  return fmt::format("result: {} steps, loss {}, {} tok/s, {}", result.steps(),
                     figures(result.final_loss()), short_count(result.tokens_per_second()),
                     short_seconds(result.wall_seconds()));
}

std::string text_of(const v1::FailureEvent& failure) {
  return fmt::format("rank {} failed with {}: {}", failure.rank(), failure.code(),
                     failure.message());
}

std::string text_of(const v1::TrainerEvent& event, const JobView& view) {
  switch (event.event_case()) {
    case v1::TrainerEvent::kPhase:
      return text_of(event.phase());
    case v1::TrainerEvent::kStep:
      return text_of(event.step(), view);
    case v1::TrainerEvent::kEval:
      return text_of(event.eval());
    case v1::TrainerEvent::kArtifact:
      return text_of(event.artifact());
    case v1::TrainerEvent::kLog:
      return text_of(event.log());
    case v1::TrainerEvent::kResult:
      return text_of(event.result());
    case v1::TrainerEvent::kFailure:
      return text_of(event.failure());
    case v1::TrainerEvent::EVENT_NOT_SET:
      break;
  }
  return "an event that this pmt does not know";
}

}  // namespace

std::string event_line(const v1::JobEvent& event, const JobView& view) {
  const std::string text =
      event.has_state() ? text_of(event.state()) : text_of(event.trainer(), view);
  return printable(fmt::format("{}  {}  {}", time_of_day(from_timestamp(event.time())),
                               view.name.empty() ? view.id : view.name, text));
}

std::string log_line(const v1::LogLine& line) {
  return fmt::format("{}  rank {}  {:<7}  {}", time_of_day(from_timestamp(line.time())),
                     line.rank(), printable(line.level()), printable(line.message(), true));
}

}  // namespace prefixmem::client
