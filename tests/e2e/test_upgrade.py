"""Two builds side by side, and docs/upgrade.md followed from one to the other and back under a job.

PREFIXMEM_PREVIOUS names the build folder of the older one (upgrade.sh makes one); without it this
build stands on both sides.
"""

import os
import pathlib
import re
import shlex
import sqlite3
import subprocess

import pytest
from cluster import Cluster
from conftest import COORDINATOR, REPO
from jobs import adapter_bytes, at_step, checkpointed, show, submit, succeeded, trainer_event
from pages import blocks
from programs import StartError, build_folder

NEW = build_folder()
OLD = pathlib.Path(os.environ.get("PREFIXMEM_PREVIOUS", NEW)).absolute()
RELEASES = {"old": OLD, "new": NEW}
PAGE = (REPO / "docs" / "upgrade.md").read_text(encoding="utf-8")
HEAD, WORKER = HOSTS = ("the coordinator's host", "the worker's host")
PACKAGES = {
    "pmt": ["pmt"],
    "pmt-coordinator": ["pmt-coordinator"],
    "pmt-worker": ["pmt-worker", "pmt-rsh", "pmt-trainer"],
    "pmt-libtorch": [],
}
SPEC = {"train__global_batch_size": 23, "resources__ranks": 1}


@pytest.fixture
def cluster():
    """Whose workers run the trainer of their own release."""
    with Cluster() as cluster:
        yield cluster


class Host:
    """Where a service runs. To install a package is to link the programs of its release's build."""

    def __init__(self, service):
        self.service = service
        self.folder = service.log.parent / "host"
        self.bin = self.folder / "bin"
        self.bin.mkdir(parents=True)
        for release in RELEASES:
            (self.folder / release).mkdir()
            for package in PACKAGES:
                (self.folder / release / f"{package}_1_amd64.deb").touch()
        self.dpkg("--install", "old/*.deb")

    def dpkg(self, *words):
        assert words[0] == "--install"
        for pattern in words[1:]:
            if pattern == "--skip-same-version":
                continue
            files = list(self.folder.glob(pattern))
            assert files, pattern
            for file in files:
                self.install(file.name.split("_")[0], RELEASES[file.parent.name])

    def install(self, package, build):
        for program in PACKAGES[package]:
            (self.bin / program).unlink(missing_ok=True)
            (self.bin / program).symlink_to(build / "bin" / program)

    def systemctl(self, verb, unit):
        assert unit == self.service.binary.name
        if verb == "stop":
            return self.service.stop()
        assert verb == "start"
        self.service.binary = self.bin / unit
        return self.service.start()


class Fleet:
    """A cluster of the old release, whose programs are the services of hosts."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.bin = OLD / "bin"
        service = cluster.start_coordinator(**COORDINATOR)
        service.flags |= {"listen": service.ready["grpc"], "http": service.ready["http"]}
        self.head = Host(service)
        self.workers = {}
        for _ in range(2):
            service = cluster.start_worker(slots=1)
            worker_id = (service.flags["work_dir"] / "worker_id").read_text().strip()
            self.workers[worker_id] = Host(service)
        cluster.bin = self.head.bin
        self.data = self.head.service.flags["data_dir"]

    def follow(self, steps, worker_id=""):
        """Runs blocks of the page line by line; each line must do."""
        for place, _, text in steps:
            host = self.workers[worker_id] if place == WORKER else self.head
            for line in text.splitlines():
                command, *words = shlex.split(line)
                if command in ("dpkg", "systemctl"):
                    getattr(host, command)(*words)
                else:
                    self.run(host, line, worker_id)

    def run(self, host, line, worker_id):
        here = line.replace("/var/lib/prefixmem/coordinator", str(self.data))
        here = here.replace("/backups/prefixmem", str(self.cluster.folder / "backup"))
        path = f"{host.bin}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-ec", f'runuser() {{ shift 3; "$@"; }}\n{here}'],
            cwd=host.folder,
            env={**self.cluster.environment(), "PATH": path, "WORKER": worker_id},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}{done.stderr}"

    def builds(self):
        """Those that the services' programs are of."""
        services = [host.service for host in (self.head, *self.workers.values())]
        return {pathlib.Path(f"/proc/{s.pid}/exe").resolve().parents[1] for s in services}


def steps_of_page():
    """{number: blocks}"""
    found = re.findall(r"^## (\d)\. .*?\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return {int(number): blocks(text, HOSTS) for number, text in found}


def refusal():
    """What an older coordinator says, as the page has it, with any path and any versions."""
    (sentence,) = re.findall(r"^ {4}(pmt-coordinator: .*schema version.*)$", PAGE, re.M)
    return re.sub(r"/\S+:", r"\\S+:", re.sub(r"\d+", r"\\d+", sentence))


def goes_on(cluster, job):
    """Waits for a step that it had not made yet; the job then."""
    made = int(show(cluster, job).get("progress", {}).get("step", 0))
    with cluster.watch(job) as watch:
        watch.until(at_step(made + 1))
    return show(cluster, job)


def move_through(fleet, job, steps):
    """Follows `steps` for each worker, from which the job goes away each time to the other one."""
    for _ in fleet.workers:
        fleet.run(fleet.head, until_connected(len(fleet.workers)), "")
        worker_id = show(fleet.cluster, job)["worker_id"]
        fleet.follow(steps, worker_id)
        assert goes_on(fleet.cluster, job)["worker_id"] != worker_id


def until_connected(count):
    """A line of shell: after a restart of the coordinator the workers dial when they dial."""
    connected = """pmt workers -o json | grep -c '"state": "connected"'"""
    return f'until [ "$({connected})" = {count} ]; do sleep 0.1; done'


def refused_start(fleet, job, going_back):
    """What the old coordinator says of a store with tables that it does not know."""
    try:
        fleet.follow([going_back])
    except StartError as error:
        return str(error)
    # The two have the same tables: it takes the store as it is, until there are others.
    goes_on(fleet.cluster, job)
    fleet.head.service.stop()
    with sqlite3.connect(fleet.data / "coordinator.db") as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    with pytest.raises(StartError) as refused:
        fleet.head.service.start()
    return str(refused.value)


def saved_state(cluster, job, step):
    """(step, digest of what is trained) of the first checkpoint from `step` on; ends the job."""
    with cluster.watch(job) as watch:
        saved = trainer_event(watch.until(checkpointed(step)), "artifact")
    assert cluster.pmt("cancel", job).code == 0
    return int(saved["step"]), saved["state_digest"]


def test_the_page_upgrades_and_goes_back_under_a_job(lab, cluster):
    fleet = Fleet(cluster)
    spec = lab.spec("upgraded", train__max_steps=10**6, train__checkpoint_every=50, **SPEC)
    job = submit(cluster, spec)
    steps = steps_of_page()
    assert set(steps) == {1, 2, 3}
    goes_on(cluster, job)

    move_through(fleet, job, steps[1])
    assert fleet.builds() == {OLD, NEW}
    fleet.follow(steps[2])
    assert goes_on(cluster, job)["attempt"] == 3, "the coordinator's restart has not moved it"
    assert fleet.builds() == {NEW}

    going_back, restored = steps[3]
    assert re.search(refusal(), refused_start(fleet, job, going_back))
    fleet.follow([restored])
    assert goes_on(cluster, job)["attempt"] == 1001
    move_through(
        fleet, job, [(host, kind, t.replace("new/", "old/")) for host, kind, t in steps[1]]
    )
    assert fleet.builds() == {OLD}

    step = int(show(cluster, job)["progress"]["step"])
    disturbed = saved_state(cluster, job, step)
    assert saved_state(cluster, submit(cluster, spec), disturbed[0]) == disturbed


if OLD != NEW:  # of one release test_drain.py says as much

    @pytest.mark.parametrize("release", RELEASES)
    def test_a_job_crosses_workers_of_both_releases(release, lab, cluster, tmp_path):
        """Under a coordinator of either, from a worker of the other to one of the same."""
        (other,) = set(RELEASES) - {release}
        cluster.bin = RELEASES[release] / "bin"
        cluster.start_coordinator(**COORDINATOR, max_retries=0)
        cluster.bin = RELEASES[other] / "bin"
        cluster.start_worker(slots=1)
        spec = lab.spec("crossing", train__max_steps=600, **SPEC)
        undisturbed = submit(cluster, spec)
        succeeded(cluster, undisturbed)
        job = submit(cluster, spec)
        with cluster.watch(job) as watch:
            watch.until(at_step(10))
            first = show(cluster, job)["worker_id"]
            cluster.bin = RELEASES[release] / "bin"
            cluster.start_worker(slots=1)
            assert cluster.pmt("workers", "drain", first).code == 0
            code, _, errors = watch.finish()
        assert code == 0, errors
        assert show(cluster, job)["attempt"] == 2 and show(cluster, job)["worker_id"] != first
        files = [adapter_bytes(cluster, one, tmp_path / one) for one in (undisturbed, job)]
        cluster.bin = RELEASES[other] / "bin"
        files.append(adapter_bytes(cluster, job, tmp_path / "again"))
        assert files[0] == files[1] == files[2]
