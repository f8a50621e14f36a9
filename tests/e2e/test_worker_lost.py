"""A worker dies or is stopped: its job goes on from the checkpoint on another, to the same bits."""

import json
import re

import pytest
from conftest import COORDINATOR
from jobs import (
    adapter_bytes,
    at_step,
    checkpointed,
    log_lines,
    losses,
    show,
    submit,
    succeeded,
    worker_states,
)
from processes import alive, descendants
from programs import eventually
from prometheus import get

STEPS, EVERY = 600, 50


@pytest.fixture
def job_spec(lab):
    return lab.spec("lost", train__max_steps=STEPS, train__checkpoint_every=EVERY)


def downloaded(cluster, job, folder):
    """The bytes of the adapter, and {step: loss} of the metrics, which hold every step once."""
    adapter = adapter_bytes(cluster, job, folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    return adapter, {line["step"]: line["loss"] for line in lines}


def test_a_killed_worker(job_spec, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    first = cluster.start_worker()
    undisturbed = submit(cluster, job_spec)
    expected = losses(succeeded(cluster, undisturbed))
    assert sorted(expected) == list(range(1, STEPS + 1))

    job = submit(cluster, job_spec)
    with cluster.watch(job) as watch:
        watch.until(checkpointed(EVERY))
        watch.until(at_step(EVERY + 10))
        gang = descendants(first.pid)
        first.kill()
        eventually(lambda: not any(map(alive, gang)), 10, f"all of {gang} gone with their agent")
        cluster.start_worker()
        code, events, errors = watch.finish()
    assert code == 0, errors
    text = get(cluster.coordinator.ready["http"])
    lost = r'^prefixmem_worker_info\{(?=.*state="lost").*\} 1$'
    assert len(re.findall(lost, text, re.M)) == 1, "what an alert asks for"

    again = [e for e in events if e.get("attempt") == 2]
    resumed = [line for line in log_lines(again) if "resuming after step" in line]
    assert len(resumed) == 1, log_lines(again)
    step = int(resumed[0].split("after step ")[1].split()[0])
    assert step >= EVERY and step % EVERY == 0
    assert min(losses(again)) == step + 1
    assert resumed[0] in cluster.pmt("logs", job).out

    one = losses(e for e in events if e.get("attempt") == 1)
    assert {**one, **losses(again)} == expected
    assert all(expected[s] == loss for s, loss in one.items())
    assert show(cluster, job)["attempt"] == 2
    files = [downloaded(cluster, j, tmp_path / j) for j in (undisturbed, job)]
    assert files[0] == files[1]
    digests = [show(cluster, j)["progress"]["state_digest"] for j in (undisturbed, job)]
    assert len(digests[0]) == 64 and digests[0] == digests[1]
    assert f"step {STEPS}, sha256 {digests[0]}" in cluster.pmt("show", job).out


def test_a_stopped_worker(job_spec, cluster):
    cluster.start_coordinator(**COORDINATOR, max_retries=0)
    first = cluster.start_worker()
    job = submit(cluster, job_spec)
    with cluster.watch(job) as watch:
        watch.until(at_step(10))
        second = cluster.start_worker()
        first.stop()
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"
    assert sorted(losses(events)) == list(range(1, STEPS + 1))
    shown = show(cluster, job)
    assert shown["attempt"] == 2, "moved once, though no retry is allowed"
    workers = worker_states(cluster)
    assert workers == {shown["worker_id"]: "connected"}, "the other has left"
    assert second.process.poll() is None
