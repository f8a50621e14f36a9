"""A coordinator that brings its workers by Slurm, a real one: deploy/slurm as it is copied."""

import json
import os
import re
import urllib.request

import pytest
from conftest import COORDINATOR, REPO
from jobs import (
    adapter_bytes,
    at_step,
    checkpointed,
    log_lines,
    losses,
    show,
    state,
    submit,
    succeeded,
    worker_states,
)
from programs import build_folder, eventually
from prometheus import Prometheus
from slurm import Slurm, free_ports

STEPS, EVERY = 600, 50
pytestmark = pytest.mark.xdist_group("slurm")  # one Slurm at a time


@pytest.fixture
def slurm(monkeypatch):
    """With room for three workers of two slots."""
    with Slurm(cpus=6) as slurm:
        monkeypatch.setenv("SLURM_CONF", slurm.variables["SLURM_CONF"])
        monkeypatch.setenv("PATH", f"{build_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield slurm


@pytest.fixture
def cluster(slurm, cluster):
    """Its coordinator brings workers of two slots, which it gives back after two seconds."""
    (port,) = free_ports(1)
    script = (REPO / "deploy" / "slurm" / "pmt-worker.sbatch").read_text(encoding="utf-8")
    for theirs, ours in {
        "head.example:7070": f"127.0.0.1:{port}",
        "--output=/tmp/": f"--output={slurm.folder}/",
    }.items():
        assert script.count(theirs) == 1
        script = script.replace(theirs, ours)
    (slurm.folder / "pmt-worker.sbatch").write_text(script)
    file = slurm.folder / "provisioner.yaml"
    settings = {
        "type": "slurm",
        "script": "pmt-worker.sbatch",
        "slots": 2,
        "max": 2,
        "idle_seconds": 2,
        "poll_seconds": 1,
        "backoff_seconds": 1,
        "arguments": ["--cpus-per-task=2"],
    }
    file.write_text(json.dumps(settings))
    flags = {**COORDINATOR, "listen": f"127.0.0.1:{port}", "provisioner": file}
    cluster.start_coordinator(**flags)
    return cluster


def metric(cluster, series):
    """None before it is there."""
    page = urllib.request.urlopen(f"{cluster.page}/metrics").read().decode()
    found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.M)
    return found and float(found[1])


def allocation_of(cluster, job):
    """The Slurm job that the job's worker runs in."""
    workers = cluster.pmt("workers", "-o", "json").json["workers"]
    (worker,) = (w for w in workers if w["id"] == show(cluster, job)["worker_id"])
    assert worker["allocation"] in cluster.pmt("workers").out
    return worker["allocation"].removeprefix("slurm:")


def await_release(cluster, slurm):
    eventually(lambda: not slurm.queue(), 60, "what is idle is given back")
    eventually(lambda: not worker_states(cluster), 30, "its worker has said goodbye")
    assert metric(cluster, "prefixmem_provisioner_allocation_failures_total") == 0


def test_from_a_job_to_an_allocation_and_back(lab, slurm, cluster):
    pending = 'prefixmem_provisioner_allocations{state="pending"}'
    eventually(lambda: metric(cluster, pending) == 0, 30, "Slurm has been asked")
    assert slurm.queue() == {}, "nothing waits"
    job = submit(cluster, lab.spec("first"))
    with cluster.watch(job) as watch:
        watch.until(at_step(1))
        assert slurm.queue() == {allocation_of(cluster, job): "RUNNING"}
        code, _, errors = watch.finish()
    assert code == 0, errors
    await_release(cluster, slurm)
    assert list(slurm.folder.glob("pmt-worker-*.log")), "the worker's own words are kept"

    # Two at once, though Slurm had room for more, and none for what cannot run there.
    jobs = [submit(cluster, lab.spec(f"of-many-{i}")) for i in range(3)]
    beyond = submit(cluster, lab.spec("beyond", resources__device="cuda"))
    for job in jobs:
        succeeded(cluster, job)
    await_release(cluster, slurm)
    assert slurm.most_at_once() == 2
    assert state(cluster, beyond) == "queued"


def test_scancel_in_the_middle(lab, slurm, cluster, tmp_path):
    spec = lab.spec("moved", train__max_steps=STEPS, train__checkpoint_every=EVERY)
    undisturbed = submit(cluster, spec)
    expected = losses(succeeded(cluster, undisturbed))

    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(checkpointed(EVERY))
        watch.until(at_step(EVERY + 10))
        first = allocation_of(cluster, job)
        slurm.cancel(first)
        watch.until(lambda e: e.get("attempt") == 2 and at_step(1)(e))
        second = allocation_of(cluster, job)
        assert second != first
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"
    assert show(cluster, job)["attempt"] == 2
    again = [e for e in events if e.get("attempt") == 2]
    (resumed,) = (line for line in log_lines(again) if "resuming after step" in line)
    assert int(resumed.split("after step ")[1].split()[0]) >= EVERY
    assert losses(events) == expected
    files = [adapter_bytes(cluster, one, tmp_path / one) for one in (undisturbed, job)]
    assert files[0] == files[1]
    await_release(cluster, slurm)


def test_another_coordinator_process_finds_its_allocations(lab, slurm, cluster):
    job = submit(cluster, lab.spec("kept", train__max_steps=STEPS))
    with cluster.watch(job) as watch:
        watch.until(at_step(10))
        before = slurm.queue()
        assert list(before.values()) == ["RUNNING"]
        cluster.coordinator.kill()
        cluster.restart_coordinator()
        code, _, errors = watch.finish()
    assert code == 0, errors
    assert show(cluster, job)["attempt"] == 1
    assert not slurm.queue().keys() - before.keys(), "none was asked for again"
    await_release(cluster, slurm)


@pytest.fixture
def prometheus(cluster, tmp_path):
    with Prometheus(cluster, tmp_path / "prometheus") as running:
        yield running


def test_a_controller_that_is_away(lab, slurm, cluster, prometheus):
    up = lambda: [row["value"][1] for row in prometheus.query("prefixmem_provisioner_up")]  # noqa: E731
    eventually(lambda: up() == ["1"], 60, "Prometheus reads that it is there")
    slurm.stop("slurmctld")
    job = submit(cluster, lab.spec("patient"))
    eventually(
        lambda: metric(cluster, 'prefixmem_provisioner_errors_total{call="list"}') > 0,
        60,
        "it is noticed",
    )
    assert metric(cluster, "prefixmem_provisioner_up") == 0
    alerts = lambda: prometheus.alerts("PrefixmemProvisionerDown")  # noqa: E731
    eventually(alerts, 30, "the alert is on its way")
    assert up() == ["0"]
    assert "provisioner: squeue ended with code 1" in cluster.coordinator.tail()
    assert "no worker" in show(cluster, job)["reason"]
    slurm.start_controller()
    succeeded(cluster, job)
    eventually(lambda: up() == ["1"] and not alerts(), 60, "Prometheus reads that it is back")
    await_release(cluster, slurm)
