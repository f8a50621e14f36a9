"""What happens to a job, as `Client.watch` tells it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from prefixmem.client.jobs import JobState
from prefixmem.client.messages import time_of


@dataclass(frozen=True)
class Event:
    """Numbered for each job without gaps, from 1. What has a kind unknown here is a bare Event."""

    job_id: str
    number: int
    attempt: int
    time: datetime.datetime | None


@dataclass(frozen=True)
class StateEvent(Event):
    state: JobState
    reason: str


@dataclass(frozen=True)
class PhaseEvent(Event):
    """The gang loads, evaluates, trains or saves."""

    phase: str
    total_steps: int
    trainable_parameters: int


@dataclass(frozen=True)
class StepEvent(Event):
    """One optimizer step; its loss is the one before the update."""

    step: int
    total_steps: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    label_tokens: int
    step_seconds: float
    allreduce_seconds: float
    resident_bytes: int
    device_bytes: int
    device_utilization: float


@dataclass(frozen=True)
class EvalEvent(Event):
    """A score on held-out rows; step 0: before the first step."""

    step: int
    metric: str
    value: float
    rows: int
    seconds: float


@dataclass(frozen=True)
class ArtifactEvent(Event):
    """A file that the store has or is about to have."""

    kind: str
    path: str
    step: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class LogEvent(Event):
    rank: int
    level: str
    message: str


@dataclass(frozen=True)
class ResultEvent(Event):
    """The gang, or the trial that it is of, ended well."""

    steps: int
    final_loss: float
    wall_seconds: float
    tokens_per_second: float
    trainable_parameters: int


@dataclass(frozen=True)
class FailureEvent(Event):
    """The gang, or the trial that it is of, cannot go on."""

    rank: int
    code: str
    message: str


_TRAINER_EVENTS: dict[str, type[Event]] = {
    "phase": PhaseEvent,
    "step": StepEvent,
    "eval": EvalEvent,
    "artifact": ArtifactEvent,
    "log": LogEvent,
    "result": ResultEvent,
    "failure": FailureEvent,
}


def event_of(message: Any) -> Event:
    head = (message.job_id, message.number, message.attempt, time_of(message, "time"))
    if message.HasField("state"):
        return StateEvent(*head, JobState.of(message.state.state), message.state.reason)
    kind = message.trainer.WhichOneof("event") if message.HasField("trainer") else None
    if kind not in _TRAINER_EVENTS:
        return Event(*head)
    cls, inner = _TRAINER_EVENTS[kind], getattr(message.trainer, kind)
    own = [name for name in cls.__dataclass_fields__ if name not in Event.__dataclass_fields__]
    return cls(*head, **{name: getattr(inner, name) for name in own})
