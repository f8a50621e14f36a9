// The keys of each event, once: the JSON form (event.cc) and the proto form
// (common/proto/event_proto.cc) are visitors of describe_event. Names are those of the members.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "common/event/event.h"

namespace prefixmem::event {

// Key of the JSON object and of the oneof in TrainerEvent.
template <class E>
inline constexpr const char* kType = nullptr;
template <>
inline constexpr const char* kType<PhaseEvent> = "phase";
template <>
inline constexpr const char* kType<StepEvent> = "step";
template <>
inline constexpr const char* kType<EvalEvent> = "eval";
template <>
inline constexpr const char* kType<ArtifactEvent> = "artifact";
template <>
inline constexpr const char* kType<LogEvent> = "log";
template <>
inline constexpr const char* kType<ResultEvent> = "result";
template <>
inline constexpr const char* kType<FailureEvent> = "failure";

inline std::string all_types() { return "phase, step, eval, artifact, log, result, failure"; }

// Spellings of an enumeration, in the order of its values.
template <class E>
inline constexpr int kNames = 0;
template <>
inline constexpr std::array<std::string_view, 4> kNames<PhaseEvent::Phase> = {
    "loading", "evaluating", "training", "saving"};
template <>
inline constexpr std::array<std::string_view, 5> kNames<ArtifactEvent::Kind> = {
    "checkpoint", "adapter", "result", "metrics", "best_adapter"};
template <>
inline constexpr auto kNames<Code> = kCodeNames;

template <class E>
std::string all_names() {
  std::string all;
  for (const std::string_view name : kNames<E>) {
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return all;
}

template <class V>
void describe_event(V& v, PhaseEvent& e) {
  v.choice("phase", e.phase);
  v.field("total_steps", e.total_steps);
  v.field("trainable_parameters", e.trainable_parameters);
}

template <class V>
void describe_event(V& v, StepEvent& e) {
  v.field("step", e.step);
  v.field("total_steps", e.total_steps);
  v.field("loss", e.loss);
  v.field("learning_rate", e.learning_rate);
  v.field("grad_norm", e.grad_norm);
  v.field("tokens", e.tokens);
  v.field("label_tokens", e.label_tokens);
  v.field("step_seconds", e.step_seconds);
  v.field("allreduce_seconds", e.allreduce_seconds);
  v.field("resident_bytes", e.resident_bytes);
  v.field("device_bytes", e.device_bytes);
  v.field("device_utilization", e.device_utilization);
}

template <class V>
void describe_event(V& v, EvalEvent& e) {
  v.field("step", e.step);
  v.field("metric", e.metric);
  v.field("value", e.value);
  v.field("rows", e.rows);
  v.field("seconds", e.seconds);
}

template <class V>
void describe_event(V& v, ArtifactEvent& e) {
  v.choice("kind", e.kind);
  v.field("path", e.path);
  v.field("step", e.step);
  v.field("bytes", e.bytes);
  v.field("seconds", e.seconds);
  v.field("state_digest", e.state_digest);
}

template <class V>
void describe_event(V& v, LogEvent& e) {
  v.field("rank", e.rank);
  v.field("level", e.level);
  v.field("message", e.message);
}

template <class V>
void describe_event(V& v, ResultEvent& e) {
  v.field("steps", e.steps);
  v.field("final_loss", e.final_loss);
  v.field("wall_seconds", e.wall_seconds);
  v.field("tokens_per_second", e.tokens_per_second);
  v.field("trainable_parameters", e.trainable_parameters);
}

template <class V>
void describe_event(V& v, FailureEvent& e) {
  Code code = e.status.code();
  std::string message = e.status.message();
  v.field("rank", e.rank);
  v.choice("code", code);
  v.field("message", message);
  e.status = Status(code, std::move(message));
}

}  // namespace prefixmem::event
