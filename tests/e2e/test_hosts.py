"""Gangs over several hosts: no worker is big enough for the job, so its ranks are on two or three,
which have nothing in common but a network and the coordinator. Model and rows lie with the client
alone, and what a worker keeps no other sees."""

import datetime
import os
import re
import signal

import pytest
from cluster import Cluster
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
    trainer_event,
)
from network import Network, ProgramOnHost, missing
from processes import alive, descendants
from programs import eventually

STEPS, EVERY = 120, 20
OFFICE = "office"  # where the coordinator and the client are
MODEL = "models://model"
NAMED_WITHIN = datetime.timedelta(seconds=60)  # a rank that the others wait for

LACK = missing()
pytestmark = pytest.mark.skipif(bool(LACK), reason=f"no network namespaces here: {LACK}")


class Hosts(Cluster):
    """A coordinator in the office and one worker of one slot on each other host, which sees neither
    the office's folders nor another worker's."""

    def __init__(self, network, client_folder):
        super().__init__()
        self.network = network
        self.place = network.hosts[OFFICE]
        address = self.place.address
        self.start_coordinator(
            **COORDINATOR, listen=f"{address}:0", http=f"{address}:0", insecure="true"
        )
        names = [name for name in network.hosts if name != OFFICE]
        folders = [self.folder / f"worker{i}" for i in range(1, len(names) + 1)]
        for folder in folders:
            folder.mkdir()
        for name, own in zip(names, folders, strict=True):
            others = [folder for folder in folders if folder != own]
            for folder in [client_folder, self.folder / "coordinator", *others]:
                network.hosts[name].hide(folder)
        self.by_host = {name: self.start_on(name) for name in names}

    def start_on(self, name):
        self.place = self.network.hosts[name]
        worker = self.start_worker(slots=1, threads_per_rank=1)
        self.place = self.network.hosts[OFFICE]
        return worker

    def program(self, name, folder, flags):
        program = ProgramOnHost(self.bin / name, folder, **flags)
        program.host = self.place
        return program

    def client(self):
        return self.network.hosts[OFFICE].prefix


@pytest.fixture
def network():
    with Network(OFFICE, "a", "b", "c") as network:
        yield network


@pytest.fixture
def hosts(network, lab):
    with Hosts(network, lab.folder) as hosts:
        eventually(lambda: len(worker_hosts(hosts)) == 3, 20, "three workers")
        assert hosts.pmt("models", "add", lab.model).out == f"{MODEL}\n"
        yield hosts


@pytest.fixture
def job_spec(lab):
    return lambda ranks, model=MODEL, **more: lab.spec(
        "hosts",
        model=model,
        train__max_steps=STEPS,
        train__checkpoint_every=EVERY,
        train__deterministic=True,
        resources__ranks=ranks,
        **more,
    )


@pytest.fixture
def undisturbed(service, job_spec, lab, tmp_path):
    """State digest, losses and adapter of the same job on one host."""
    job = submit(service, job_spec(1, model=str(lab.model)))
    seen = losses(succeeded(service, job))
    digest = show(service, job)["progress"]["state_digest"]
    return digest, seen, adapter_bytes(service, job, tmp_path / "undisturbed")


def worker_hosts(hosts):
    """{id: name of its host}"""
    return {w["id"]: w["host"] for w in hosts.pmt("workers", "-o", "json").json["workers"]}


def hosts_of(hosts, job):
    return [host["host"] for host in show(hosts, job)["hosts"]]


def everything_below(hosts):
    return [p for worker in hosts.workers for p in descendants(worker.pid)]


def same(hosts, job, undisturbed, folder):
    digest, _, adapter = undisturbed
    assert show(hosts, job)["progress"]["state_digest"] == digest
    assert adapter_bytes(hosts, job, folder) == adapter


def test_hosts_share_no_disk(hosts, lab):
    seen = {name: host.run("ls", lab.folder) for name, host in hosts.network.hosts.items()}
    assert "model" in seen.pop(OFFICE)
    assert set(seen.values()) == {""}
    job = submit(hosts, lab.spec("by-path", resources__ranks=1), "--no-upload")
    assert hosts.pmt("watch", job).code != 0
    assert str(lab.model) in show(hosts, job)["reason"]


@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
def test_a_gang_on_three_hosts(hosts, job_spec, undisturbed, tmp_path, sharded):
    """Each with the whole base, or with a third of its layers."""
    job = submit(hosts, job_spec(3, resources__shard_base=sharded))
    with hosts.watch(job) as watch:
        watch.until(at_step(1))
        below = {name: descendants(worker.pid) for name, worker in hosts.by_host.items()}
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    assert losses(events) == undisturbed[1]
    assert sorted(hosts_of(hosts, job)) == ["a", "b", "c"]
    for name, processes in below.items():
        assert sum("pmt-trainer" in p.command for p in processes if "mpirun" not in p.command) == 1
        assert any("orted" in p.command or "mpirun" in p.command for p in processes), name
    same(hosts, job, undisturbed, tmp_path / "three")
    assert "1 on worker-" in hosts.pmt("show", job).out
    eventually(lambda: not everything_below(hosts), 20, "every process of the gang gone")
    assert all(w["used_slots"] == 0 for w in workers(hosts))


def workers(hosts):
    return [{"used_slots": 0, **w} for w in hosts.pmt("workers", "-o", "json").json["workers"]]


def test_two_workers_on_one_host(hosts, job_spec, undisturbed, tmp_path):
    """Such as two allocations of a batch system: their gang is the nearest that can be had."""
    hosts.start_on("b")
    eventually(lambda: len(worker_hosts(hosts)) == 4, 20, "four workers")
    for ranks, on in [(2, ["b", "b"]), (4, ["a", "b", "b", "c"])]:
        job = submit(hosts, job_spec(ranks))
        succeeded(hosts, job)
        assert sorted(hosts_of(hosts, job)) == on
        same(hosts, job, undisturbed, tmp_path / str(ranks))


def test_a_host_is_cut_off(hosts, network, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(2))
    with hosts.watch(job, seconds=240) as watch:
        watch.until(checkpointed(EVERY))
        _, member = hosts_of(hosts, job)
        network.cut(member)
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    shown = show(hosts, job)
    assert shown["attempt"] == 2, shown
    assert member not in hosts_of(hosts, job)
    again = [e for e in events if e.get("attempt") == 2]
    assert any("resuming after step" in line for line in log_lines(again))
    same(hosts, job, undisturbed, tmp_path / "cut")
    lost = hosts.by_host[member]
    network.mend(member)
    eventually(
        lambda: not [p for p in descendants(lost.pid) if alive(p)],
        30,
        "the lost host's part of the gang gone",
    )


def test_the_head_is_killed(hosts, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(2))
    with hosts.watch(job, seconds=240) as watch:
        watch.until(checkpointed(EVERY))
        head, member = hosts_of(hosts, job)
        left = descendants(hosts.by_host[head].pid) + descendants(hosts.by_host[member].pid)
        hosts.by_host[head].kill()
        eventually(lambda: not any(map(alive, left)), 30, "the gang gone on both hosts")
        code, _, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    assert show(hosts, job)["attempt"] == 2
    same(hosts, job, undisturbed, tmp_path / "head")


@pytest.mark.parametrize("what", ["agent", "daemon"])
def test_a_member_is_killed(what, hosts, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(2))
    with hosts.watch(job, seconds=240) as watch:
        watch.until(checkpointed(EVERY))
        _, member = hosts_of(hosts, job)
        below = descendants(hosts.by_host[member].pid)
        if what == "agent":
            hosts.by_host[member].kill()
        else:
            (daemon,) = [p for p in below if "orted" in p.command]
            os.kill(daemon.pid, signal.SIGKILL)
        eventually(lambda: not any(map(alive, below)), 30, "the member's part gone")
        code, _, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    assert show(hosts, job)["attempt"] == 2
    same(hosts, job, undisturbed, tmp_path / what)


def test_a_slow_and_lossy_network(hosts, network, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(2))
    with hosts.watch(job, seconds=400) as watch:
        watch.until(at_step(1))
        network.delay, network.loss = 0.002, 0.01
        watch.until(at_step(EVERY))
        code, _, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    assert show(hosts, job)["attempt"] == 1
    same(hosts, job, undisturbed, tmp_path / "slow")


def test_the_coordinator_is_away_meanwhile(hosts, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(3))
    with hosts.watch(job) as watch:
        watch.until(at_step(5))
        hosts.coordinator.kill()
    hosts.restart_coordinator()
    succeeded(hosts, job)
    assert show(hosts, job)["attempt"] == 1
    same(hosts, job, undisturbed, tmp_path / "away")


def test_a_stopped_rank_on_another_host(hosts, job_spec, undisturbed, tmp_path):
    job = submit(hosts, job_spec(2))
    with hosts.watch(job, seconds=300) as watch:
        watch.until(checkpointed(EVERY))
        _, member = hosts_of(hosts, job)
        below = descendants(hosts.by_host[member].pid)
        (rank,) = [p for p in below if p.command.startswith("pmt-trainer")]
        os.kill(rank.pid, signal.SIGSTOP)
        stopped = datetime.datetime.now(datetime.UTC)
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(hosts, job)}"
    assert show(hosts, job)["attempt"] == 2
    waiting = (
        rf"rank 1 on host {member} keeps the others waiting, who have been in \w+ \(call \d+\)"
    )
    logs = [(event, trainer_event(event, "log")) for event in events]
    named = [event for event, log in logs if log and re.match(waiting, log["message"])]
    assert named, log_lines(events)
    assert datetime.datetime.fromisoformat(named[0]["time"]) - stopped < NAMED_WITHIN
    assert not alive(rank)
    same(hosts, job, undisturbed, tmp_path / "stopped")


def test_a_cancel_ends_it_on_every_host(hosts, job_spec):
    job = submit(hosts, job_spec(3))
    with hosts.watch(job) as watch:
        watch.until(at_step(5))
        assert hosts.pmt("cancel", job).code == 0
        watch.finish()
    assert show(hosts, job)["state"] == "JOB_STATE_CANCELLED"
    eventually(lambda: not everything_below(hosts), 20, "every process of the gang gone")
