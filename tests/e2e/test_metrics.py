"""/metrics of the coordinator and the worker, read by promtool and by Prometheus itself."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml
from conftest import REPO
from jobs import at_step, submit
from processes import listening_port
from programs import die_with_parent, eventually

DEPLOYED = REPO / "deploy" / "prometheus"
LABELS = ("job=", "name=", "method=", "worker=")


def get(address, path="/metrics"):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read().decode()


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
    shutil.copytree(DEPLOYED, tmp_path, dirs_exist_ok=True)
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    targets = {
        "coordinator": [service.coordinator.ready["http"]],
        "workers": [worker.ready["metrics"] for worker in service.workers],
    }
    for name, addresses in targets.items():
        file = tmp_path / "targets" / f"{name}.yml"
        file.write_text(yaml.safe_dump([{"targets": addresses}]))
    with (tmp_path / "log").open("w") as log:
        prometheus = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                "--web.listen-address=127.0.0.1:0",
            ],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        port = eventually(lambda: listening_port(prometheus.pid), 30, "Prometheus listens")
        address = f"127.0.0.1:{port}"
        up = eventually(lambda: two_targets(address), 30, "both targets are up")
        assert {row["metric"]["instance"] for row in up} == {
            *targets["coordinator"],
            *targets["workers"],
        }
        (loss,) = eventually(
            lambda: query(address, f'prefixmem_job_loss{{job="{training}"}}'), 30, "the loss"
        )
        assert float(loss["value"][1]) > 0
        assert loss["metric"]["method"] == "prefix_memory"
    finally:
        prometheus.kill()
        prometheus.wait()


def query(address, expression):
    try:
        text = get(address, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    except OSError:
        return []  # listens, but is not ready yet
    return json.loads(text)["data"]["result"]


def two_targets(address):
    up = query(address, "up == 1")
    return up if len(up) == 2 else None


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
