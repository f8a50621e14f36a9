"""A service to be harmed: a coordinator and two workers, each with a small disk and a clock of its
own, and the links between them."""

import os
import pathlib
import sqlite3
import struct
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / folder) for folder in ("deploy/local", "tests/e2e", "tests/trainer")]

from cluster import Cluster  # noqa: E402
from link import Link  # noqa: E402
from processes import alive, descendants, listening_ports, open_files  # noqa: E402, F401
from programs import build_folder, eventually  # noqa: E402

CLOCK_LIBRARY = build_folder() / "tests" / "libchaos_clock.so"
DISK_MIB = 512
LEASE_SECONDS = 5
WORKERS = 2
END_SECONDS = 30  # for what a program has to take away once all jobs have ended


class Disk:
    """A file system in memory that can be filled, where this process may mount one."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder]
        self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    @property
    def filler(self):
        return self.folder / "filler"

    def fill(self):
        """Until not a byte more goes in."""
        with self.filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    continue

    def free(self):
        self.filler.unlink()

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)


class WallClock:
    """What a program and those below it take for the time of day."""

    def __init__(self, folder):
        self.file = folder / "clock"
        self.set(0)

    def set(self, seconds):
        """So far from the true one; in place, since it is mapped."""
        self.seconds = seconds
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))

    @property
    def variables(self):
        return {"PREFIXMEM_CLOCK": str(self.file), "LD_PRELOAD": str(CLOCK_LIBRARY)}


class Stage(Cluster):
    def __init__(self):
        super().__init__()
        self.disks, self.clocks = {}, {}  # by program
        self.client_link = None
        self.worker_links = {}  # by program
        self.run_folders = set()  # that gangs have made outside their worker's folder

    def program(self, name, folder, flags):
        program = super().program(name, folder, flags)
        self.clocks[program] = WallClock(folder)
        program.variables = self.clocks[program].variables
        return program

    def start(self):
        disk = Disk(self.folder / "coordinator" / "disk")
        self.data = disk.folder / "data"
        self.start_coordinator(
            data_dir=self.data,
            lease_seconds=LEASE_SECONDS,
            heartbeat_seconds=0.5,
            grace_seconds=LEASE_SECONDS,
            max_retries=1_000_000,
        )
        self.disks[self.coordinator] = disk
        self.client_link = Link(self.coordinator.ready["grpc"])
        for number in range(1, WORKERS + 1):
            disk = Disk(self.folder / f"worker{number}" / "disk")
            link = Link(self.coordinator.ready["grpc"])
            worker = self.start_worker(work_dir=disk.folder / "work", coordinator=link.address)
            self.disks[worker], self.worker_links[worker] = disk, link
        return self

    @property
    def server(self):
        return self.client_link.address

    @property
    def has_disks(self):
        return all(disk.mounted for disk in self.disks.values())

    def close(self):
        for program in [*self.workers, self.coordinator]:
            if program:
                program.stop()
        for link in self.links:
            link.close()
        for disk in self.disks.values():
            disk.unmount()
        super().close()

    @property
    def links(self):
        return [link for link in [self.client_link, *self.worker_links.values()] if link]

    # ---- what runs

    def below(self, worker, name):
        """Processes of that program that the worker has started."""
        found = descendants(worker.pid) if worker.process.poll() is None else []
        return [p for p in found if p.command and pathlib.Path(p.command.split()[0]).name == name]

    def training_workers(self):
        return [worker for worker in self.workers if self.below(worker, "pmt-trainer")]

    def ranks(self):
        return [p for worker in self.workers for p in self.below(worker, "pmt-trainer")]

    def mpiruns(self):
        return [p for worker in self.workers for p in self.below(worker, "mpirun")]

    def work(self, worker):
        return pathlib.Path(worker.flags["work_dir"])

    def worker_of(self, job):
        """The worker that runs the job, by what lies in its folder; None where none does."""
        running = [w for w in self.workers if (self.work(w) / "jobs" / job).is_dir()]
        return running[0] if running else None

    def note_run_folders(self):
        for worker in self.workers:
            for link in self.work(worker).glob("gangs/*/run"):
                self.run_folders.add(link.readlink())

    # ---- the coordinator's store

    def query(self, sql, *values):
        database = sqlite3.connect(f"file:{self.data / 'coordinator.db'}?mode=ro", uri=True)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def checkpoints(self, job):
        """Files in the store, the newest first; one that gives way meanwhile is left out."""
        rows = self.query(
            "SELECT sha256 FROM artifacts WHERE job_id = ? AND kind = 'checkpoint'"
            " ORDER BY step DESC, version DESC",
            job,
        )
        return [file for (sha256,) in rows for file in (self.data / "blobs").rglob(f"{sha256}*")]

    # ---- what is left when all jobs have ended

    def check_nothing_leaks(self):
        for worker in self.workers:
            eventually(
                lambda w=worker: not descendants(w.pid), END_SECONDS, f"{worker.log}: no process"
            )
            for name in ("jobs", "gangs"):
                folder = self.work(worker) / name
                eventually(
                    lambda f=folder: not f.exists() or not any(f.iterdir()),
                    END_SECONDS,
                    f"nothing in {folder}",
                )
        left = [folder for folder in self.run_folders if folder.exists()]
        assert not left, f"folders of gangs that are gone: {left}"
        named = {sha256 for (sha256,) in self.query("SELECT DISTINCT sha256 FROM artifacts")}
        kept = {file.name for file in (self.data / "blobs").rglob("*") if file.is_file()}
        assert kept == named, f"blobs that no job names: {kept - named}; lost: {named - kept}"
        for program, expected in [(self.coordinator, 2), *((w, 1) for w in self.workers)]:
            ports = listening_ports(program.pid)
            assert len(ports) == expected, f"{program.binary.name} listens on {ports}"
            files = [name for name in open_files(program.pid) if not name.startswith("/memfd:")]
            gone = [name for name in files if name.endswith(" (deleted)")]
            assert not gone, f"{program.binary.name} holds files that are gone: {gone}"

    def check_no_orphans(self):
        """After close()."""
        left = [p for p in everything() if str(self.folder) in p]
        assert not left, f"processes that outlived the service: {left}"


def everything():
    """Command lines of all processes but this one."""
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                words = (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield words.replace(b"\0", b" ").decode(errors="replace")
