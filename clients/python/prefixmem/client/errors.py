"""What a call may raise: one class for each code that the service uses (docs/errors.md)."""

from __future__ import annotations

from typing import ClassVar

import grpc


class ServiceError(Exception):
    """One sentence that names the thing, its value and what is allowed."""

    code: ClassVar[str] = "INTERNAL"


class InvalidArgument(ServiceError, ValueError):
    """The input is wrong, e.g. the spec."""

    code = "INVALID_ARGUMENT"


class NotFound(ServiceError, LookupError):
    """There is no such job or file."""

    code = "NOT_FOUND"


class FailedPrecondition(ServiceError):
    """Right input in the wrong state, e.g. a job that has ended is to be cancelled."""

    code = "FAILED_PRECONDITION"


class DataLoss(ServiceError):
    """What arrived is not what the store holds."""

    code = "DATA_LOSS"


class ResourceExhausted(ServiceError):
    """Disk, memory or a limit of the coordinator is used up."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(ServiceError, ConnectionError):
    """No answer from the coordinator, or none in time; worth another try."""

    code = "UNAVAILABLE"


class TimedOut(Unavailable, TimeoutError):
    """The deadline of a call has passed."""


class Cancelled(ServiceError):
    """Somebody asked the call to stop."""

    code = "CANCELLED"


class Internal(ServiceError):
    """A fault of the service."""

    code = "INTERNAL"


class Unimplemented(Internal):
    """Whoever answers does not know the call, e.g. an older coordinator."""


_CLASSES = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ALREADY_EXISTS: FailedPrecondition,
    grpc.StatusCode.PERMISSION_DENIED: FailedPrecondition,
    grpc.StatusCode.UNAUTHENTICATED: FailedPrecondition,
    grpc.StatusCode.DATA_LOSS: DataLoss,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.CANCELLED: Cancelled,
}


def from_rpc(error: grpc.RpcError, address: str) -> ServiceError:
    """The error of a failed call to the coordinator at `address`."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE:
        cause = details.rsplit(": ", 1)[-1]
        return Unavailable(f"no answer from the coordinator at {address} ({cause})")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(f"the coordinator at {address} did not answer in time")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Unimplemented(
            f"what answers at {address} is no pmt-coordinator, or of another version"
        )
    return _CLASSES.get(code, Internal)(details)
