"""The client against a service that answers and refuses as a test wants."""

import datetime
import itertools

import fake_service
import grpc
import pytest
from fake_service import Refusal, refuse, story
from prefixmem import Client
from prefixmem import client as api
from prefixmem._proto import job_pb2, job_service_pb2, sweep_pb2


def job(number=1, **fields):
    made = job_pb2.Job(id=f"job-{number}", name=f"name-{number}", state=1, **fields)
    made.spec.labels["team"] = "a"
    return made


CODES = {
    "INVALID_ARGUMENT": (api.InvalidArgument, ValueError),
    "OUT_OF_RANGE": (api.InvalidArgument, ValueError),
    "NOT_FOUND": (api.NotFound, LookupError),
    "FAILED_PRECONDITION": (api.FailedPrecondition, Exception),
    "PERMISSION_DENIED": (api.FailedPrecondition, Exception),
    "DATA_LOSS": (api.DataLoss, Exception),
    "RESOURCE_EXHAUSTED": (api.ResourceExhausted, Exception),
    "CANCELLED": (api.Cancelled, Exception),
    "ABORTED": (api.Unavailable, ConnectionError),
    "INTERNAL": (api.Internal, Exception),
    "UNKNOWN": (api.Internal, Exception),
}


@pytest.mark.parametrize("name", CODES)
def test_codes(service, client, name):
    service.answers["CancelJob"] = lambda _: refuse(grpc.StatusCode[name], "train.seed is -1")
    expected, builtin = CODES[name]
    with pytest.raises(api.ServiceError, match=r"train\.seed is -1") as caught:
        client.cancel("job-a")
    assert type(caught.value) is expected and isinstance(caught.value, builtin)
    assert name in ("OUT_OF_RANGE", "PERMISSION_DENIED", "ABORTED", "UNKNOWN", expected.code)


def test_nobody_there(host):
    host.stop()
    with Client(host.address) as client, pytest.raises(api.Unavailable, match=host.address):
        client.workers()


def test_not_a_coordinator(client):
    with pytest.raises(api.Internal, match="is no pmt-coordinator, or of another version"):
        client.workers()


def test_every_call_has_a_deadline(host, service):
    service.answers["ListWorkers"] = lambda _: (
        service.released.wait() and job_service_pb2.ListWorkersResponse()
    )
    client = Client(host.address, timeout=0.2)
    with client, pytest.raises(api.TimedOut, match="did not answer in time"):
        client.workers()
    service.answers["GetJob"] = lambda _: job()
    service.answers["WatchJob"] = lambda _: story()
    service.answers["ListJobs"] = lambda _: job_service_pb2.ListJobsResponse()
    with Client(host.address, timeout=7, patience=api.Patience(stream=70)) as client:
        client.jobs()
        list(client.watch("job-a"))
    listing, _, watching = service.deadlines[1:]
    assert 0 < listing < 8 < watching < 71


@pytest.mark.parametrize(
    "address", ("localhost", "localhost:", "host:0", "host:70000", ":1", "host:x")
)
def test_addresses(address):
    with pytest.raises(ValueError, match="allowed: HOST:PORT"):
        Client(address)


def test_submit_tries_again_under_one_key(service, client):
    calls = iter(range(3))

    def answer(_):
        if next(calls) < 2:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "going away")
        return job_service_pb2.SubmitJobResponse(sweep_id="sweep-a", jobs=[job(1), job(2)])

    service.answers["SubmitJob"] = answer
    submitted = client.submit({"name": "a"})
    assert [j.id for j in submitted] == ["job-1", "job-2"]
    keys = {request.idempotency_key for request in service.requests}
    assert len(service.requests) == 3 and len(keys) == 1 and len(keys.pop()) == 32


def test_submit_gives_up(service, client):
    service.answers["SubmitJob"] = lambda _: refuse(grpc.StatusCode.UNAVAILABLE, "x: away")
    with pytest.raises(api.Unavailable, match=r"\(away\)"):
        client.submit({"name": "a"}, idempotency_key="mine")
    assert [r.idempotency_key for r in service.requests] == ["mine"] * 4


def test_submit_a_message(service, client):
    service.answers["SubmitJob"] = lambda _: job_service_pb2.SubmitJobResponse(jobs=[job()])
    spec = api.JobSpec(name="a", priority=3)
    client.submit(spec)
    assert service.requests[0].spec == spec


def test_a_job_as_values(service, client):
    message = job(attempt=2, ranks=4, reason="runs", tenant="vision")
    message.state = job_pb2.JOB_STATE_RUNNING
    message.start_time.FromJsonString("2026-01-02T03:04:05Z")
    message.progress.evals.add(step=0, metric="loss", value=2.0)
    message.spec.method.lora.r = 8
    message.spec.method.lora.target_modules.append("q_proj")
    message.spec.train.learning_rate = 0.5
    message.spec.train.max_steps = 7
    service.answers["GetJob"] = lambda _: message
    got = client.get("name-1")
    assert service.requests[0].job == "name-1"
    assert (got.id, got.state, got.attempt, got.ranks) == ("job-1", api.JobState.RUNNING, 2, 4)
    assert got.tenant == "vision"
    assert got.start_time == datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert got.end_time is None and got.progress.eta_seconds is None
    assert got.progress.evals == (api.Score(0, "loss", 2.0, 0, 0.0),)
    assert got.spec == {
        "labels": {"team": "a"},
        "method": {"type": "lora", "r": 8, "target_modules": ["q_proj"]},
        "train": {"learning_rate": 0.5, "max_steps": 7},
    }


def test_tenants_as_values(service, client):
    listed = job_service_pb2.ListTenantsResponse()
    listed.tenants.add(name="default", weight=1)
    vision = listed.tenants.add(name="vision", weight=3, used_slots=2, recent_slots=1.5)
    vision.quota.slots = 4
    service.answers["ListTenants"] = lambda _: listed
    unbounded = api.Quota(slots=None, queued_jobs=None, stored_bytes=None)
    assert client.tenants() == [
        api.Tenant("default", 1, unbounded, 0, 0, 0, 0.0),
        api.Tenant("vision", 3, api.Quota(4, None, None), 2, 0, 0, 1.5),
    ]


def test_the_coordinators_version(service, client):
    running = job_service_pb2.GetVersionResponse(version="0.2.0+x")
    service.answers["GetVersion"] = lambda _: running
    assert client.coordinator_version() == "0.2.0+x"


def test_listing_reads_every_page(service, client):
    def answer(request):
        first = int(request.page_token or 0)
        page = range(first, min(first + request.page_size, 1200))
        token = str(page.stop) if page.stop < 1200 else ""
        return job_service_pb2.ListJobsResponse(jobs=map(job, page), next_page_token=token)

    service.answers["ListJobs"] = answer
    assert [j.id for j in client.jobs()] == [f"job-{i}" for i in range(1200)]
    assert len(client.jobs(limit=7, states=["failed"], labels={"team": "a"}, name="n*")) == 7
    last = service.requests[-1]
    assert (last.page_size, list(last.states), last.name) == (7, [job_pb2.JOB_STATE_FAILED], "n*")
    assert dict(last.labels) == {"team": "a"}
    with pytest.raises(ValueError, match="'ended' is not a valid JobState"):
        client.jobs(states=["ended"])


def with_scores(number, method, *scores):
    made = job(number)
    getattr(made.spec.method, method).SetInParent()
    made.progress.step = scores[-1][0]
    made.progress.loss = 0.5
    for step, metric, value in scores:
        made.progress.evals.add(step=step, metric=metric, value=value)
    made.spec.labels[f"n{number}"] = "x"
    return made


def test_results(service, client):
    scores = [(0, "loss", 3.0), (0, "accuracy", 0.1), (8, "accuracy", 0.7), (9, "accuracy", 0.8)]
    jobs = [with_scores(2, "none", (0, "accuracy", 0.2)), with_scores(1, "prefix_memory", *scores)]
    service.answers["ListJobs"] = lambda _: job_service_pb2.ListJobsResponse(jobs=jobs)
    trained, untuned = client.results({"team": "a"})
    assert dict(service.requests[0].labels) == {"team": "a"}
    picked = ("job", "method", "metric", "before", "after", "loss", "label.n1", "label.n2")
    assert [trained[k] for k in picked] == [
        *("job-1", "prefix_memory", "accuracy", 0.1, 0.8, 0.5, "x", None)
    ]
    assert [untuned[k] for k in picked] == [
        *("job-2", "none", "accuracy", 0.2, 0.2, None, None, "x")
    ]
    assert list(trained) == list(untuned)
    frame = client.results().to_pandas()
    assert list(frame.columns) == list(trained) and list(frame["after"]) == [0.8, 0.2]


def test_results_of_several(service, client):
    service.answers["GetJob"] = lambda request: job(int(request.job[-1]))
    listed = [job(3), job(2)]
    service.answers["ListJobs"] = lambda _: job_service_pb2.ListJobsResponse(jobs=listed)
    rows = client.results(["job-1", "sweep-x", api.jobs.job_of(job(2))])
    assert [row["job"] for row in rows] == ["job-1", "job-2", "job-3"]
    assert service.requests[1].sweep_id == "sweep-x"


def test_results_of_a_sweep_by_its_name(service, client):
    def absent(_):
        refuse(grpc.StatusCode.NOT_FOUND, "no such job")

    sweep = sweep_pb2.Sweep(id="sweep-x", name="rates")
    service.answers |= {
        "GetJob": absent,
        "GetSweep": lambda request: sweep if request.sweep == "rates" else absent(request),
        "ListJobs": lambda _: job_service_pb2.ListJobsResponse(jobs=[job(2), job(1)]),
    }
    assert [row["job"] for row in client.results("rates")] == ["job-1", "job-2"]
    assert service.requests[-1].sweep_id == "sweep-x"
    with pytest.raises(api.NotFound, match='no job or sweep has the id or name "ratez"'):
        client.results("ratez")


def sweep(state, **trials):
    value = sweep_pb2.SweepState.Value(f"SWEEP_STATE_{state}")
    counts = sweep_pb2.TrialCounts(**trials)
    return sweep_pb2.Sweep(id="sweep-x", name="rates", state=value, trials=counts)


def test_a_sweep_as_values(service, client):
    message = sweep("CANCELLED", running=1, succeeded=2)
    message.reason = "cancelled by a client"
    message.create_time.FromSeconds(60)
    message.spec.name = "rates"
    service.answers["CancelSweep"] = lambda _: message
    shown = client.cancel_sweep("rates")
    assert service.requests[0].sweep == "rates"
    assert (shown.id, shown.name, shown.state) == ("sweep-x", "rates", api.SweepState.CANCELLED)
    assert (shown.reason, shown.trials.succeeded) == ("cancelled by a client", 2)
    assert shown.create_time == datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)
    assert (shown.end_time, shown.spec["name"]) == (None, "rates")
    assert not shown.is_over, "a trial has not left yet"


def test_removing(service, client):
    gone = job_service_pb2.Removed(jobs=2, files=5, bytes=1000)
    service.answers["RemoveJob"] = service.answers["RemoveSweep"] = lambda _: gone
    assert client.remove("job-a") == api.Removed(jobs=2, files=5, bytes=1000, pinned_jobs=0)
    assert client.remove_sweep("rates", files_only=True).files == 5
    one, all_trials = service.requests
    assert (one.job, one.files_only) == ("job-a", False)
    assert (all_trials.sweep, all_trials.files_only) == ("rates", True)


def test_a_download_of_removed_files_is_refused(service, client, tmp_path):
    message = job()
    message.files_remove_time.FromSeconds(60)
    service.answers["GetJob"] = lambda _: message
    service.answers["ListArtifacts"] = lambda _: job_service_pb2.ListArtifactsResponse()
    with pytest.raises(api.NotFound, match="were removed at 1970-01-01 00:01:00 UTC"):
        client.download(message.id, tmp_path)


def test_pinning(service, client):
    service.answers["PinJob"] = lambda request: job(pinned=request.pinned)
    assert client.pin("job-a").pinned
    assert not client.pin("job-a", pinned=False).pinned
    message = job()
    assert values_of(service, client, message).files_remove_time is None
    message.files_remove_time.FromSeconds(60)
    assert values_of(service, client, message).files_remove_time.minute == 1


def values_of(service, client, message):
    service.answers["GetJob"] = lambda _: message
    return client.get("job-a")


def test_waiting_for_a_search(service, client, monkeypatch):
    """Its trials begin one after the other; between two there is none for a moment."""
    monkeypatch.setattr("prefixmem.client.client._BETWEEN_TRIALS", 0.01)
    looks = iter(
        [
            sweep("RUNNING", running=1),
            sweep("RUNNING", running=1),
            sweep("RUNNING", succeeded=1),
            sweep("RUNNING", succeeded=1, running=1),
            sweep("FINISHED", succeeded=2),
        ]
    )
    opened = iter([[job(1)], [], [job(2)]])
    ids = []

    def watched(request):
        ids.append(request.job)
        return [fake_service.state(1, "SUCCEEDED", request.job)]

    service.answers |= {
        "GetSweep": lambda _: next(looks),
        "ListJobs": lambda _: job_service_pb2.ListJobsResponse(jobs=next(opened)),
        "WatchJob": watched,
        "GetJob": lambda request: job_pb2.Job(id=request.job, state=4),
    }
    done = client.wait_sweep("rates")
    assert (done.state, done.trials.succeeded, ids) == ("finished", 2, ["job-1", "job-2"])


def test_waiting_for_a_sweep_over_an_outage(service, client):
    times = itertools.count()

    def away_at_second(_):
        if next(times) == 1:
            refuse(grpc.StatusCode.UNAVAILABLE, "gone")
        return sweep("FINISHED", succeeded=2)

    service.answers["GetSweep"] = away_at_second
    assert client.wait_sweep("sweep-x").is_over


def test_names_of_methods():
    lora = {"type": "lora", "r": 4}
    combined = {"type": "combined", "methods": [{"type": "prefix_memory"}, lora]}
    assert api.results.method_text(combined) == "prefix_memory + lora r=4"
