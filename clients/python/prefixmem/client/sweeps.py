"""A sweep, as the coordinator knew it when it was asked."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from typing import Any

from prefixmem._proto import sweep_pb2
from prefixmem.client.messages import plain, same


class SweepState(enum.StrEnum):
    RUNNING = "running"
    FINISHED = "finished"  # every trial has ended and none is to begin
    FAILED = "failed"  # given up; trials that had begun may still run
    CANCELLED = "cancelled"  # likewise

    @property
    def is_final(self) -> bool:
        return self is not SweepState.RUNNING

    @staticmethod
    def of(number: int) -> SweepState:
        return SweepState(sweep_pb2.SweepState.Name(number).removeprefix("SWEEP_STATE_").lower())


@dataclass(frozen=True)
class TrialCounts:
    """Trials by the state of their jobs."""

    waiting: int
    running: int
    succeeded: int
    failed: int
    cancelled: int  # stopped by the search or by somebody

    @property
    def open(self) -> int:
        return self.waiting + self.running


@dataclass(frozen=True)
class Sweep:
    id: str
    name: str
    state: SweepState
    reason: str  # why it is in this state
    trials: TrialCounts
    tenant: str
    create_time: datetime.datetime | None
    end_time: datetime.datetime | None
    spec: dict[str, Any] = field(repr=False, hash=False)  # every default filled in

    @property
    def is_over(self) -> bool:
        """It has ended, and so has every trial."""
        return self.state.is_final and self.trials.open == 0


def sweep_of(message: Any) -> Sweep:
    return Sweep(
        state=SweepState.of(message.state),
        trials=TrialCounts(**same(TrialCounts, message.trials)),
        spec=plain(message.spec),
        **same(Sweep, message, without=("state", "trials", "spec")),
    )
