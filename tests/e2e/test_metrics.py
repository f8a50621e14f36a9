"""/metrics of the coordinator and the worker, read by promtool and by Prometheus itself."""

import subprocess

import pytest
from jobs import at_step, submit
from programs import eventually
from prometheus import DEPLOYED, Prometheus, get

LABELS = ("job=", "name=", "method=", "worker=")


def check(text):
    """promtool's opinion; its findings go to stderr."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.fixture(scope="module")
def training(lab, service):
    """Id of a job that trains while the tests of this file run."""
    job = submit(service, lab.spec("measured", train__max_steps=1_000_000, resources__ranks=1))
    with service.watch(job) as watch:
        watch.until(at_step(2))
    yield job
    service.pmt("cancel", job)
    assert service.pmt("watch", job).code == 3


def test_the_coordinator(service, training):
    text = get(service.coordinator.ready["http"])
    check(text)
    for name in ("queue_depth", "jobs", "workers", "job_wait_seconds", "job_run_seconds"):
        assert f"\nprefixmem_{name}" in text, name


def test_the_worker(service, training):
    text = get(service.workers[0].ready["metrics"])
    check(text)
    series = [line for line in text.splitlines() if f'job="{training}"' in line]
    for word in ("loss", "learning_rate", "grad", "tokens_total", "step", "allreduce", "resident"):
        assert any(word in line.split("{")[0] for line in series), (word, series)
    assert all(label in line for line in series for label in LABELS)


def test_prometheus_scrapes_both(service, training, tmp_path):
    with Prometheus(service, tmp_path) as prometheus:

        def two_targets():
            up = prometheus.query("up == 1")
            return up if len(up) == 2 else None

        up = eventually(two_targets, 30, "both targets are up")
        assert {row["metric"]["instance"] for row in up} == {
            address for addresses in prometheus.targets.values() for address in addresses
        }
        (loss,) = eventually(
            lambda: prometheus.query(f'prefixmem_job_loss{{job="{training}"}}'), 30, "the loss"
        )
        assert float(loss["value"][1]) > 0
        assert loss["metric"]["method"] == "prefix_memory"


def test_series_go_away(lab, service):
    job = submit(service, lab.spec("forgotten", train__max_steps=300, resources__ranks=1))
    address = service.workers[0].ready["metrics"]
    with service.watch(job) as watch:
        watch.until(at_step(1))
        eventually(lambda: job in get(address), 10, "the job's series appear")
        assert watch.finish()[0] == 0
    eventually(lambda: job not in get(address), 20, "the job's series go away")


def test_the_deployed_configuration():
    done = subprocess.run(
        ["promtool", "check", "config", DEPLOYED / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr
