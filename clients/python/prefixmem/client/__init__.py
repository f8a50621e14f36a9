"""A typed client of the coordinator's API (proto/prefixmem/v1)."""

from prefixmem._proto.job_pb2 import JobSpec
from prefixmem.client.client import Client
from prefixmem.client.errors import (
    Cancelled,
    DataLoss,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceError,
    TimedOut,
    Unavailable,
    Unimplemented,
)
from prefixmem.client.events import (
    ArtifactEvent,
    EvalEvent,
    Event,
    FailureEvent,
    LogEvent,
    PhaseEvent,
    ResultEvent,
    StateEvent,
    StepEvent,
)
from prefixmem.client.jobs import (
    Artifact,
    Job,
    JobState,
    Progress,
    Quota,
    Removed,
    Score,
    Tenant,
    Worker,
)
from prefixmem.client.logs import LogLine
from prefixmem.client.results import Results
from prefixmem.client.sweeps import Sweep, SweepState, TrialCounts
from prefixmem.client.watch import Patience

__all__ = [
    "Artifact",
    "ArtifactEvent",
    "Cancelled",
    "Client",
    "DataLoss",
    "EvalEvent",
    "Event",
    "FailedPrecondition",
    "FailureEvent",
    "Internal",
    "InvalidArgument",
    "Job",
    "JobSpec",
    "JobState",
    "LogEvent",
    "LogLine",
    "NotFound",
    "Patience",
    "PhaseEvent",
    "Progress",
    "Quota",
    "Removed",
    "ResourceExhausted",
    "ResultEvent",
    "Results",
    "Score",
    "ServiceError",
    "StateEvent",
    "StepEvent",
    "Sweep",
    "SweepState",
    "Tenant",
    "TimedOut",
    "TrialCounts",
    "Unavailable",
    "Unimplemented",
    "Worker",
]
