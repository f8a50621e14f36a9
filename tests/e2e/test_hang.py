"""A rank that stops in the middle of training is named, and the job goes on when it does."""

import os
import re
import signal
import socket

import pytest
from jobs import at_step, submit, trainer_event
from processes import descendants
from programs import eventually
from prometheus import get

SECONDS = 60  # by then it is named


@pytest.fixture
def stopped_rank(lab, service):
    """(job, its watch, pid of the rank 1 that has been stopped)."""
    job = submit(service, lab.spec("hangs", train__max_steps=1_000_000))
    with service.watch(job, SECONDS) as watch:
        watch.until(at_step(3))
        (pid,) = [
            process.pid
            for process in descendants(service.workers[0].pid)
            if "pmt-trainer" in process.command.split()[0] and rank_of(process.pid) == "1"
        ]
        os.kill(pid, signal.SIGSTOP)
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


def test_rank_host_and_call_are_named(service, stopped_rank):
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

    os.kill(pid, signal.SIGCONT)
    watch.until(log_with("the ranks go on"))
    watch.until(lambda e: trainer_event(e, "step"))
    eventually(lambda: series not in get(address), 10, "the series goes with the hang")
