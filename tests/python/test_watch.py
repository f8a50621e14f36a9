"""Client.watch over streams that break, services that go away, and jobs that are quiet."""

import datetime

import grpc
import pytest
from fake_service import Refusal, refuse, story
from prefixmem import Client
from prefixmem import client as api
from prefixmem._proto import job_pb2


def watched(client):
    return list(client.watch(JOB))


JOB = api.jobs.job_of(job_pb2.Job(id="job-a", state=1))


def test_events_are_typed(service, client):
    kinds = {
        "phase": ("phase", "training", api.PhaseEvent),
        "eval": ("metric", "accuracy", api.EvalEvent),
        "artifact": ("path", "adapter/x", api.ArtifactEvent),
        "log": ("message", "hello", api.LogEvent),
        "result": ("final_loss", 0.5, api.ResultEvent),
        "failure": ("code", "INTERNAL", api.FailureEvent),
    }
    events = story()
    for number, (kind, (field, value, _)) in enumerate(kinds.items(), start=5):
        event = job_pb2.JobEvent(job_id="job-a", number=number)
        setattr(getattr(event.trainer, kind), field, value)
        events.insert(-1, event)
    events.insert(-1, job_pb2.JobEvent(job_id="job-a", number=11))
    events[-1].number = 12
    service.answers["WatchJob"] = lambda _: events
    queued, _, step, _, *others, unknown, last = watched(client)
    time = datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC)
    assert queued == api.StateEvent("job-a", 1, 1, time, api.JobState.QUEUED, "is QUEUED")
    assert (type(step), step.step, step.loss, step.time) == (api.StepEvent, 3, 2.5, None)
    for event, (field, value, cls) in zip(others, kinds.values(), strict=True):
        assert type(event) is cls and getattr(event, field) == value
    assert type(unknown) is api.Event
    assert last.state is api.JobState.SUCCEEDED and last.state.is_final


def numbers(events):
    return [event.number for event in events]


def test_a_stream_that_breaks_goes_on_after_the_last_event(service, client):
    """In the middle, at once, with events again that were seen, and in order but too early."""
    breaks = iter([2, 0, 1, None])

    def answer(request):
        cut = next(breaks)
        events = story()[max(0, request.from_number - 2) :]
        yield from events if cut is None else events[: cut + 1]
        if cut == 1:
            return  # OK, although the job goes on
        if cut is not None:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "going away")

    service.answers["WatchJob"] = answer
    assert numbers(watched(client)) == [1, 2, 3, 4, 5]
    assert [r.from_number for r in service.requests] == [1, 4, 4, 5]


def test_a_coordinator_that_is_restarted(host, service, client):
    def answer(request):
        yield from story()[request.from_number - 1 : 3]
        service.released.wait()

    service.answers["WatchJob"] = answer
    events = client.watch(JOB)
    first = [next(events) for _ in range(3)]
    host.stop()
    service.answers["WatchJob"] = lambda request: story()[request.from_number - 1 :]
    host.start()
    assert numbers([*first, *events]) == [1, 2, 3, 4, 5]
    assert service.requests[-1].from_number == 4


def test_a_streams_own_deadline_is_no_outage(host, service):
    """A quiet job: the stream is opened again and again, with no patience for outages."""

    def answer(request):
        events = story()[request.from_number - 1 :]
        if request.from_number >= 4:
            yield from events
        else:
            yield events[0]
            service.released.wait()

    service.answers["WatchJob"] = answer
    patience = api.Patience(away=0, stream=0.5)
    with Client(host.address, patience=patience) as client:
        assert numbers(watched(client)) == [1, 2, 3, 4, 5]
    assert {request.from_number for request in service.requests} == {1, 2, 3, 4}


def test_patience_ends(host):
    host.stop()
    client = Client(host.address, patience=api.Patience(away=0))
    with client, pytest.raises(api.Unavailable, match=f"no answer .* at {host.address}"):
        watched(client)


def test_a_refused_watch(service, client):
    service.answers["WatchJob"] = lambda _: (_ for _ in [])
    service.answers["GetJob"] = lambda _: refuse(grpc.StatusCode.NOT_FOUND, "no job x")
    with pytest.raises(api.NotFound, match="no job x"):
        client.watch("x")
    service.answers["WatchJob"] = lambda _: refuse(grpc.StatusCode.DATA_LOSS, "torn")
    with pytest.raises(api.DataLoss, match="torn"):
        watched(client)
    assert len(service.requests) == 2


def test_wait(service, client):
    service.answers["WatchJob"] = lambda _: story()
    service.answers["GetJob"] = lambda request: job_pb2.Job(id=request.job, state=4)
    assert client.wait(JOB).state is api.JobState.SUCCEEDED
