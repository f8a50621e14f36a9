"""A client that has nothing but the server: reflection tells it services and messages."""

import json
import re
import subprocess

import pytest
from conftest import REPO
from jobs import number, succeeded

GRPCURL = REPO / ".deps" / "bin" / "grpcurl"
SERVICE = "prefixmem.v1.JobService"


@pytest.fixture
def grpcurl(service):
    def run(*words, request=None):
        data = [] if request is None else ["-d", json.dumps(request)]
        done = subprocess.run(
            [GRPCURL, "-plaintext", *data, service.server, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_lists_the_services(grpcurl):
    code, out, err = grpcurl("list")
    assert code == 0, err
    assert {SERVICE, "prefixmem.v1.WorkerService", "grpc.health.v1.Health"} <= set(out.split())
    assert "rpc SubmitJob" in grpcurl("describe", SERVICE)[1]


def test_the_server_is_healthy(grpcurl):
    code, out, err = grpcurl("grpc.health.v1.Health/Check", request={})
    assert code == 0 and json.loads(out) == {"status": "SERVING"}, err


def test_submits_and_watches_a_job(grpcurl, lab, service):
    spec = json.loads(lab.spec("curl", train__max_steps=2).read_text())
    spec["method"] = {spec["method"]["type"]: {}}
    code, out, err = grpcurl(f"{SERVICE}/SubmitJob", request={"spec": spec})
    assert code == 0, err
    (job,) = json.loads(out)["jobs"]
    events = succeeded(service, job["id"])
    request = {"job": job["id"], "from_number": 5}
    code, out, err = grpcurl(f"{SERVICE}/WatchJob", request=request)
    assert code == 0, err
    assert [int(n) for n in re.findall(r'"number": "(\d+)"', out)] == [
        number(event) for event in events[4:]
    ]


def test_a_bad_spec_is_an_invalid_argument(grpcurl, lab):
    text = lab.spec("curl-bad", train__max_steps=-2).read_text()
    code, _, err = grpcurl(f"{SERVICE}/SubmitJob", request={"yaml": text})
    assert code != 0 and "InvalidArgument" in err and "train.max_steps" in err and "-2" in err
