"""A rank that stops in the middle of training is named; the job goes on when it does, or without
it."""

import os
import re
import signal
import socket

import pytest
from jobs import at_step, losses, show, submit, trainer_event
from processes import descendants
from programs import eventually
from prometheus import Prometheus, get, panel_queries, without_zero

SECONDS = 60  # by then it is named
STEPS = 1500


def stop_rank_1(service):
    (pid,) = [
        process.pid
        for process in descendants(service.workers[0].pid)
        if "pmt-trainer" in process.command.split()[0] and rank_of(process.pid) == "1"
    ]
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.fixture
def stopped_rank(lab, service):
    """(job, its watch, pid of the rank 1 that has been stopped)."""
    job = submit(service, lab.spec("hangs", train__max_steps=1_000_000))
    with service.watch(job, SECONDS) as watch:
        watch.until(at_step(3))
        pid = stop_rank_1(service)
        yield job, watch, pid
        os.kill(pid, signal.SIGCONT)
    service.pmt("cancel", job)
    assert service.pmt("watch", job).code == 3


def rank_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        entries = file.read().split(b"\0")
    prefix = b"OMPI_COMM_WORLD_RANK="
    return next((e.removeprefix(prefix).decode() for e in entries if e.startswith(prefix)), None)


def log_with(words):
    return lambda e: (log := trainer_event(e, "log")) and words in log["message"]


@pytest.fixture
def prometheus(service, tmp_path):
    with Prometheus(service, tmp_path / "prometheus") as running:
        yield running


def test_rank_host_and_call_are_named(service, prometheus, stopped_rank):
    job, watch, pid = stopped_rank
    log = trainer_event(watch.until(log_with("keeps the others waiting")), "log")
    assert (log["rank"], log["level"]) == (1, "warning")
    assert re.fullmatch(
        rf"rank 1 on host {re.escape(socket.gethostname())} keeps the others waiting, who have "
        rf"been in all_reduce \(call \d+\) for \d+ s: its process {pid} is stopped by a signal and "
        r"does not answer",
        log["message"],
    )
    assert log["message"] in service.pmt("logs", job).out

    address = service.workers[0].ready["metrics"]
    series = f'prefixmem_job_hanging_rank{{call="all_reduce",host="{socket.gethostname()}",'
    assert f'{series}job="{job}",' in get(address)
    stall = lambda: prometheus.alerts("PrefixmemAllReduceStall")  # noqa: E731
    (state, labels), *others = eventually(stall, SECONDS, "the alert fires")
    assert (state, labels["job"], labels["rank"], labels["call"], others) == (
        "firing",
        job,
        "1",
        "all_reduce",
        [],
    )

    panel = dict(panel_queries())["job: Ranks that keep others waiting"]
    (row,) = prometheus.query(without_zero(panel))
    assert row["value"][1] == "1"

    os.kill(pid, signal.SIGCONT)
    watch.until(log_with("the ranks go on"))
    watch.until(lambda e: trainer_event(e, "step"))
    eventually(lambda: series not in get(address), 10, "the series goes with the hang")
    eventually(lambda: not stall(), 30, "and the alert with the series")


def test_the_gang_of_a_rank_that_stays_stopped_is_restarted(lab, service):
    spec = lab.spec("left", train__max_steps=STEPS, train__checkpoint_every=20)
    job = submit(service, spec)
    with service.watch(job, 300) as watch:
        watch.until(at_step(50))
        pid = stop_rank_1(service)
        watch.until(lambda e: e.get("attempt") == 2 and trainer_event(e, "step"))
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(service, job)}"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    one, two = (losses(e for e in events if e.get("attempt") == n) for n in (1, 2))
    assert sorted({**one, **two}) == list(range(1, STEPS + 1))
    again = one.keys() & two.keys()
    assert {step: one[step] for step in again} == {step: two[step] for step in again}
    said = [e["state"]["reason"] for e in events if "state" in e]
    assert any(f"has not answered for 40 s: its process {pid} is stopped" in s for s in said), said
