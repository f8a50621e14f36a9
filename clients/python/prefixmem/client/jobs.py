"""A job, a file of a job, a worker, a tenant: as the coordinator knew them when it was asked."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from typing import Any

from prefixmem._proto import job_pb2
from prefixmem.client.messages import plain, same


class JobState(enum.StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    @staticmethod
    def of(number: int) -> JobState:
        return JobState(job_pb2.JobState.Name(number).removeprefix("JOB_STATE_").lower())

    @property
    def number(self) -> int:
        return job_pb2.JobState.Value(f"JOB_STATE_{self.name}")


@dataclass(frozen=True)
class Score:
    """An evaluation after a step (0: before the first)."""

    step: int
    metric: str
    value: float
    rows: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """The newest figures."""

    step: int
    total_steps: int
    loss: float
    tokens_per_second: float
    tokens: int
    trainable_parameters: int
    phase: str
    eta_seconds: float | None
    wall_seconds: float
    evals: tuple[Score, ...]


@dataclass(frozen=True)
class Job:
    id: str
    name: str
    sweep_id: str  # empty: of its own
    state: JobState
    reason: str  # why it is in this state
    failure_code: str  # e.g. INVALID_ARGUMENT; empty: no failure
    attempt: int
    ranks: int
    worker_id: str
    tenant: str  # whose share of the slots it takes
    create_time: datetime.datetime | None
    start_time: datetime.datetime | None
    end_time: datetime.datetime | None
    pinned: bool  # it and its files are kept, until that is taken back
    files_remove_time: datetime.datetime | None  # None: its files were not removed
    progress: Progress
    stderr_tail: str = field(repr=False)
    spec: dict[str, Any] = field(repr=False, hash=False)  # every default filled in

    @property
    def labels(self) -> dict[str, str]:
        return self.spec.get("labels", {})


@dataclass(frozen=True)
class Artifact:
    """A file of a job in the coordinator's store."""

    path: str  # e.g. adapter/adapter_model.safetensors
    kind: str  # checkpoint, adapter, result, metrics or best_adapter
    bytes: int
    sha256: str
    attempt: int
    step: int
    create_time: datetime.datetime | None


@dataclass(frozen=True)
class Worker:
    id: str
    host: str
    state: str  # connected, disconnected, unhealthy, cordoned, draining or lost
    slots: int
    used_slots: int
    device: str
    device_names: tuple[str, ...]
    heartbeat_age_seconds: float
    job_ids: tuple[str, ...]
    version: str
    metrics_address: str
    cordoned: bool  # nothing more is placed there
    allocation: str  # of a batch system that it runs in, e.g. slurm:1234
    unhealthy: str  # why it takes no jobs for now, e.g. that its disk is full; empty: it does


@dataclass(frozen=True)
class Quota:
    """What a tenant may have at most; None: any number."""

    slots: int | None  # that its jobs hold together
    queued_jobs: int | None  # that wait, when it submits more
    stored_bytes: int | None  # of its jobs' files


@dataclass(frozen=True)
class Tenant:
    """Users whose jobs share the slots with those of others."""

    name: str
    weight: int  # its share beside the weights of others
    quota: Quota
    used_slots: int
    queued_jobs: int
    stored_bytes: int
    recent_slots: float  # the mean of used_slots; what was a day ago counts half


@dataclass(frozen=True)
class Removed:
    """What is no longer there."""

    jobs: int
    files: int
    bytes: int  # that no longer count as their tenant's
    pinned_jobs: int  # trials that keep their files


def job_of(message: Any) -> Job:
    return Job(
        **same(Job, message, without=("state", "progress", "spec")),
        state=JobState.of(message.state),
        progress=_progress_of(message.progress),
        spec=plain(message.spec),
    )


def score_of(message: Any) -> Score:
    return Score(**same(Score, message))


def artifact_of(message: Any) -> Artifact:
    return Artifact(**same(Artifact, message))


def worker_of(message: Any) -> Worker:
    lists = ("device_names", "job_ids")
    values = same(Worker, message, without=lists)
    return Worker(**values, **{name: tuple(getattr(message, name)) for name in lists})


def removed_of(message: Any) -> Removed:
    return Removed(**same(Removed, message))


def tenant_of(message: Any) -> Tenant:
    quota = {name: _optional(message.quota, name) for name in Quota.__dataclass_fields__}
    return Tenant(**same(Tenant, message, without=("quota",)), quota=Quota(**quota))


def _progress_of(message: Any) -> Progress:
    return Progress(
        **same(Progress, message, without=("eta_seconds", "evals")),
        eta_seconds=_optional(message, "eta_seconds"),
        evals=tuple(map(score_of, message.evals)),
    )


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None
