"""What may befall a service. Each is done to real processes and made good before it returns; a
clock stays as it was set."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from stage import LEASE_SECONDS, alive, eventually

GONE_SECONDS = 10  # a gang whose agent is dead, a coordinator whose disk is full
PARTING_SECONDS = 60  # for a worker to notice that the coordinator is gone, or back
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
REFUSED_FILE = ": the store takes no file: "  # in the coordinator's log
DIALLED_IN_VAIN, REGISTERED = "; again in ", "registered as "  # in a worker's log


class NoTarget(Exception):
    """There is nothing just now that the fault could befall."""


class Fault(NamedTuple):
    name: str
    strike: Callable  # of the stage and a random.Random
    needs_disks: bool = False


def some(random, of):
    if not of:
        raise NoTarget
    return random.choice(of)


def send(process, number):
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        raise NoTarget from None


def stop_for(process, seconds):
    """Nothing of it happens meanwhile: that is the fault, so it is waited out."""
    send(process, signal.SIGSTOP)
    time.sleep(seconds)
    with contextlib.suppress(NoTarget):  # it was killed where it stood
        send(process, signal.SIGCONT)


def kill_rank(stage, random):
    send(some(random, stage.ranks()), signal.SIGKILL)


def kill_mpirun(stage, random):
    send(some(random, stage.mpiruns()), signal.SIGKILL)


def stop_rank(stage, random):
    stop_for(some(random, stage.ranks()), random.uniform(1, 4))


def stop_mpirun(stage, random):
    stop_for(some(random, stage.mpiruns()), random.uniform(1, 4))


def leave_rank_stopped(stage, random):
    send(some(random, stage.ranks()), signal.SIGSTOP)


def kill_worker(stage, random):
    worker = some(random, stage.training_workers())
    gang = stage.below(worker, "mpirun") + stage.below(worker, "pmt-trainer")
    worker.kill()
    eventually(lambda: not any(map(alive, gang)), GONE_SECONDS, f"{gang} gone with their agent")
    worker.start()


def stop_worker(stage, random):
    """For longer than its lease: others take over what it goes on with."""
    worker = some(random, stage.training_workers())
    stop_for(worker, LEASE_SECONDS + 2)


def kill_coordinator(stage, random):
    stage.coordinator.kill()
    stage.restart_coordinator()


def stop_coordinator(stage, random):
    stop_for(stage.coordinator, random.uniform(1, LEASE_SECONDS + 2))


def fill_coordinators_disk(stage, random):
    """It ends by itself, since it cannot keep what it would promise. Where jobs bring files before
    all else, it refuses those and promises nothing."""
    disk = stage.disks[stage.coordinator]
    refused = stage.coordinator.log.read_text().count(REFUSED_FILE)
    disk.fill()
    try:
        stage.coordinator.process.wait(GONE_SECONDS)
    except subprocess.TimeoutExpired:
        said = stage.coordinator.log.read_text()
        assert said.count(REFUSED_FILE) > refused, "a full disk goes without a word"
        return
    finally:
        disk.free()
    stage.restart_coordinator()


def fill_workers_disk(stage, random):
    worker = some(random, stage.training_workers())
    ranks = stage.below(worker, "pmt-trainer")
    stage.disks[worker].fill()
    try:
        eventually(lambda: not all(map(alive, ranks)), GONE_SECONDS, "a job meets the full disk")
    finally:
        stage.disks[worker].free()


def damage_checkpoint(stage, random):
    """The newest of a job, then its worker: the job has to go on from another."""
    running = [row[0] for row in stage.query("SELECT DISTINCT job_id FROM artifacts")]
    job = some(random, [job for job in running if stage.worker_of(job)])
    worker = stage.worker_of(job)
    if worker is None:
        raise NoTarget
    os.kill(worker.pid, signal.SIGSTOP)  # so that no newer one comes
    try:
        checkpoints = stage.checkpoints(job)
        if len(checkpoints) < 2:
            raise NoTarget
        with checkpoints[0].open("r+b") as file:
            file.seek(checkpoints[0].stat().st_size // 2)
            file.write(b"\xff" * 16)
    except NoTarget:
        os.kill(worker.pid, signal.SIGCONT)
        raise
    worker.kill()
    worker.start()


def break_connections(stage, random):
    some(random, stage.links).break_all()


def cut_worker_off(stage, random):
    """For longer than its lease: others take over, and what it told comes late."""
    with stage.worker_links[some(random, stage.training_workers())].held_up():
        time.sleep(LEASE_SECONDS + 2)


def set_clock(stage, random):
    some(random, list(stage.clocks.values())).set(random.randint(-DAY_SECONDS, DAY_SECONDS))


def set_clock_back_and_kill_coordinator(stage, random):
    """Of a worker, which has to find the new coordinator although what waits for a time of day
    waits for hours."""
    worker = some(random, stage.workers)
    clock = stage.clocks[worker]
    clock.set(clock.seconds - random.randint(HOUR_SECONDS, DAY_SECONDS))

    def times(words):
        return worker.log.read_text().count(words)

    dialled, registered = times(DIALLED_IN_VAIN), times(REGISTERED)
    stage.coordinator.kill()
    eventually(lambda: times(DIALLED_IN_VAIN) > dialled + 1, PARTING_SECONDS, "dials in vain")
    stage.restart_coordinator()
    eventually(lambda: times(REGISTERED) > registered, PARTING_SECONDS, "a worker is back")


def set_clock_and_kill_coordinator(stage, random):
    stage.clocks[stage.coordinator].set(random.randint(-DAY_SECONDS, DAY_SECONDS))
    kill_coordinator(stage, random)


ALL = [
    Fault("a rank is killed", kill_rank),
    Fault("mpirun is killed", kill_mpirun),
    Fault("a rank is stopped for 1 to 4 s", stop_rank),
    Fault("mpirun is stopped for 1 to 4 s", stop_mpirun),
    Fault("a rank is stopped for good", leave_rank_stopped),
    Fault("a worker is killed", kill_worker),
    Fault(f"a worker is stopped for {LEASE_SECONDS + 2} s, longer than its lease", stop_worker),
    Fault("the coordinator is killed", kill_coordinator),
    Fault(f"the coordinator is stopped for 1 to {LEASE_SECONDS + 2} s", stop_coordinator),
    Fault("the coordinator's disk is full", fill_coordinators_disk, needs_disks=True),
    Fault("a worker's disk is full", fill_workers_disk, needs_disks=True),
    Fault("the newest checkpoint is damaged and the worker killed", damage_checkpoint),
    Fault("connections break", break_connections),
    Fault(f"a worker is cut off for {LEASE_SECONDS + 2} s, longer than its lease", cut_worker_off),
    Fault("a program's clock is set, by up to a day", set_clock),
    Fault(
        "a worker's clock is set back, by up to a day, and the coordinator killed",
        set_clock_back_and_kill_coordinator,
    ),
    Fault(
        "the coordinator's clock is set, by up to a day, and it is killed",
        set_clock_and_kill_coordinator,
    ),
]
