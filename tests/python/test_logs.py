"""Client.logs: the lines there are, and following them over streams that break."""

import datetime

import grpc
import pytest
from fake_service import Refusal, refuse
from prefixmem import Client
from prefixmem import client as api
from prefixmem._proto import job_pb2, job_service_pb2

JOB = api.jobs.job_of(job_pb2.Job(id="job-a", state=1))


def log():
    lines = [job_service_pb2.LogLine(attempt=1, rank=i % 2, level="info") for i in range(4)]
    for number, line in enumerate(lines):
        line.message = f"line {number}"
        line.time.FromSeconds(number)
    return lines


def messages(lines):
    return [line.message for line in lines]


ALL = messages(log())


def test_the_lines_there_are(service, client):
    service.answers["StreamLogs"] = lambda _: log()
    second = list(client.logs("name"))[1]
    time = datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC)
    assert second == api.LogLine(time, 1, 1, "info", "line 1")
    (request,) = service.requests
    assert (request.job, request.follow) == ("name", False)


def test_a_stream_that_breaks_repeats_no_line(service, client):
    cuts = iter([2, 0, 1, None])

    def answer(request):
        assert request.follow
        cut = next(cuts)
        yield from log()[:cut]
        if cut is not None:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "going away")

    service.answers["StreamLogs"] = answer
    assert messages(client.logs(JOB, follow=True)) == ALL
    assert next(cuts, "none left") == "none left"


def test_a_streams_own_deadline_is_no_outage(host, service):
    def answer(_):
        yield from log()[: len(service.requests)]
        if len(service.requests) < len(ALL):
            service.released.wait()

    service.answers["StreamLogs"] = answer
    patience = api.Patience(away=0, stream=0.5)
    with Client(host.address, patience=patience) as client:
        assert messages(client.logs(JOB, follow=True)) == ALL


def test_without_follow_a_broken_stream_is_an_error(service, client):
    service.answers["StreamLogs"] = lambda _: refuse(grpc.StatusCode.UNAVAILABLE, "going away")
    with pytest.raises(api.Unavailable):
        list(client.logs(JOB))
    assert len(service.requests) == 1


def test_refused_logs(service, client):
    service.answers["StreamLogs"] = lambda _: refuse(grpc.StatusCode.NOT_FOUND, "no job x")
    service.answers["GetJob"] = service.answers["StreamLogs"]
    for follow in (False, True):
        with pytest.raises(api.NotFound, match="no job x"):
            list(client.logs("x", follow=follow))
