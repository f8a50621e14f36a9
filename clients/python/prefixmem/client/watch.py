"""The events of one job as one sequence, over as many streams as it takes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from prefixmem._proto import job_service_pb2
from prefixmem.client.channel import Channel
from prefixmem.client.errors import ServiceError, TimedOut, Unavailable
from prefixmem.client.events import Event, StateEvent, event_of

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0  # seconds between two dials


@dataclass
class Patience:
    """How long the coordinator may be away, in seconds, and how long one stream lasts at most."""

    away: float = 600.0
    stream: float = 3600.0


class Outage:
    """From the first failure to the next event."""

    def __init__(self, limit: float):
        self._limit = limit
        self._since: float | None = None
        self._delay = FIRST_DELAY

    def over(self) -> None:
        self._since, self._delay = None, FIRST_DELAY

    def wait(self, failure: ServiceError) -> None:
        """A while, longer each time; raises the failure where it has lasted too long."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= self._limit:
            raise failure
        time.sleep(self._delay * random.uniform(0.5, 1))
        self._delay = min(2 * self._delay, LONGEST_DELAY)


def watch(channel: Channel, job_id: str, from_number: int, patience: Patience) -> Iterator[Event]:
    """Each event once and in order, until the job has ended.

    A stream that breaks is opened again from the event after the last one seen. Raises what the
    coordinator refuses, and Unavailable where it is away for longer than patience allows.
    """
    request = job_service_pb2.WatchJobRequest(job=job_id, from_number=max(1, from_number))
    outage = Outage(patience.away)
    while True:
        ended = False
        try:
            for message in channel.stream("WatchJob", request, patience.stream):
                outage.over()
                if message.number < request.from_number:
                    continue  # seen before
                request.from_number = message.number + 1
                event = event_of(message)
                ended = isinstance(event, StateEvent) and event.state.is_final
                yield event
            if ended:
                return
            failure = Unavailable(f"the events of {job_id} stopped before its end")
        except TimedOut:
            continue  # a stream has its deadline, too; that is no outage
        except Unavailable as error:
            failure = error
        outage.wait(failure)
