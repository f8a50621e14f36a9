"""Trials of a sweep share one gang, and each stays a job of its own.

The trainer is a stand-in: what is under test is the service between `pmt submit` and mpirun.
"""

import json
import pathlib
import sys

import pytest
from conftest import COORDINATOR
from jobs import at_step, checkpointed, gangs, losses, show, state, submit_all, succeeded
from processes import descendants
from programs import eventually

STAND_IN = pathlib.Path(__file__).with_name("bank_trainer.py")
LIMIT = 30


class Bank:
    """A service with a worker of two slots, and a sweep of four trials of two ranks."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        (folder / "rows.jsonl").touch()
        self.trainer = folder / "trainer"
        self.trainer.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
        self.trainer.chmod(0o755)
        cluster.start_coordinator(bank_limit=16, **COORDINATOR)
        self.start_worker()
        spec = {
            "name": "trial",
            "model": "/models/none",
            "data": {"train": str(folder / "rows.jsonl")},
            "train": {"max_steps": 3},
            "resources": {"device": "cpu", "ranks": 2, "threads": 1},
            "sweep": {"grid": {"train.seed": [1, 2, 3, 4]}},
        }
        (folder / "sweep.yaml").write_text(json.dumps(spec))
        # The trainer looks beside the rows, so they are not to lie in the worker's cache.
        self.jobs = submit_all(cluster, folder / "sweep.yaml", "--no-upload")

    def start_worker(self):
        return self.cluster.start_worker(trainer=self.trainer, slots=2)

    def allow_steps(self, count):
        with (self.folder / "go").open("a") as go:
            go.write("x" * count)

    def until_step(self, job, step):
        with self.cluster.watch(job) as watch:
            watch.until(at_step(step))

    def gangs(self):
        return gangs(self.cluster, self.jobs)

    def mpiruns(self, worker=0):
        below = descendants(self.cluster.workers[worker].pid)
        return [p for p in below if pathlib.Path(p.command.split()[0]).name == "mpirun"]

    def used_slots(self):
        workers = self.cluster.pmt("workers", "-o", "json").json["workers"]
        return [worker.get("used_slots", 0) for worker in workers]


@pytest.fixture
def bank(cluster, tmp_path):
    return Bank(cluster, tmp_path)


def test_a_sweep_of_four_trains_in_one_gang(bank):
    for job in bank.jobs:
        bank.until_step(job, 1)
    assert len(bank.mpiruns()) == 1
    assert len(bank.gangs()) == 1
    assert bank.used_slots() == [2]
    assert "shared by 4 jobs" in bank.cluster.pmt("show", bank.jobs[3]).out
    bank.allow_steps(2)
    for job in bank.jobs:
        assert sorted(losses(succeeded(bank.cluster, job))) == [1, 2, 3]
    eventually(lambda: bank.used_slots() == [0], LIMIT, "its slots are free")
    target = bank.folder / "files"
    assert bank.cluster.pmt("download", bank.jobs[2], "--out", target).code == 0
    assert json.loads((target / "result.json").read_text()) == {"steps": 3}


def test_a_cancel_stops_one_trial_alone(bank):
    bank.until_step(bank.jobs[1], 1)
    (gang,) = bank.mpiruns()
    assert bank.cluster.pmt("cancel", bank.jobs[1]).code == 0
    with bank.cluster.watch(bank.jobs[1]) as watch:
        assert watch.finish()[0] == 3
    assert bank.mpiruns() == [gang]
    bank.allow_steps(2)
    for job in bank.jobs[:1] + bank.jobs[2:]:
        succeeded(bank.cluster, job)
    assert state(bank.cluster, bank.jobs[1]) == "cancelled"


def test_a_restart_of_the_coordinator_leaves_the_gang(bank):
    for job in bank.jobs:
        bank.until_step(job, 1)
    (gang,) = bank.mpiruns()
    bank.cluster.coordinator.kill()
    bank.allow_steps(1)
    bank.cluster.restart_coordinator()
    for job in bank.jobs:
        bank.until_step(job, 2)
    assert bank.mpiruns() == [gang]
    bank.allow_steps(1)
    for job in bank.jobs:
        succeeded(bank.cluster, job)
        assert show(bank.cluster, job)["attempt"] == 1


def test_a_lost_workers_trials_go_on_elsewhere_each_from_its_checkpoint(bank):
    for job in bank.jobs:
        bank.until_step(job, 1)
    bank.allow_steps(1)
    with bank.cluster.watch(bank.jobs[0]) as watch:
        watch.until(checkpointed(2))
    bank.start_worker()
    bank.cluster.workers[0].kill()
    bank.allow_steps(1)
    for job in bank.jobs:
        assert sorted(losses(succeeded(bank.cluster, job))) == [1, 2, 3]
        assert show(bank.cluster, job)["attempt"] == 2
    assert len(bank.gangs()) == 1
    events = bank.cluster.pmt("watch", bank.jobs[0], "-o", "json").out
    assert "retry 1 of 3 from the checkpoint of step 2" in events
