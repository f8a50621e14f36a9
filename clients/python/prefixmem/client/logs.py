"""The log of a job as one sequence, over as many streams as it takes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefixmem._proto import job_service_pb2
from prefixmem.client.channel import Channel
from prefixmem.client.errors import TimedOut, Unavailable
from prefixmem.client.messages import time_of
from prefixmem.client.watch import Outage, Patience


@dataclass(frozen=True)
class LogLine:
    """What a rank, or the worker for it, wrote in an attempt."""

    time: datetime.datetime | None
    attempt: int
    rank: int
    level: str
    message: str


def read(channel: Channel, job: str) -> Iterator[LogLine]:
    """The lines there are now."""
    request = job_service_pb2.StreamLogsRequest(job=job)
    return map(_line_of, channel.stream("StreamLogs", request, channel.timeout))


def follow(channel: Channel, job: str, patience: Patience) -> Iterator[LogLine]:
    """Each line once and in order, until the job has ended.

    A stream that breaks is opened again; it begins with the first line, so those seen are skipped.
    """
    request = job_service_pb2.StreamLogsRequest(job=job, follow=True)
    seen, outage = 0, Outage(patience.away)
    while True:
        try:
            for number, message in enumerate(
                channel.stream("StreamLogs", request, patience.stream), start=1
            ):
                outage.over()
                if number <= seen:
                    continue
                seen = number
                yield _line_of(message)
            return
        except TimedOut:
            continue  # a stream has its deadline, too; that is no outage
        except Unavailable as error:
            failure = error
        outage.wait(failure)


def _line_of(message: Any) -> LogLine:
    return LogLine(
        time_of(message, "time"), message.attempt, message.rank, message.level, message.message
    )
