"""A coordinator and workers on this machine, for the demo and the end-to-end tests.

with Cluster() as cluster:
    cluster.start_coordinator()
    cluster.start_worker(slots=2)
    done = cluster.pmt("submit", "job.yaml")
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import NamedTuple

from programs import (
    START_SECONDS,
    Program,
    StartError,
    build_folder,
    die_with_parent,
    eventually,
)

ANY_PORT = "127.0.0.1:0"


class Outcome(NamedTuple):
    """What a `pmt` command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Watch:
    """`pmt watch JOB -o json`, read event by event; killed after `seconds`."""

    def __init__(self, command, env, seconds):
        self.seen = []
        self.process = subprocess.Popen(
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.limit = threading.Timer(seconds, self.process.kill)
        self.limit.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.limit.cancel()
        self.process.kill()
        self.process.communicate()

    def __iter__(self):
        for line in self.process.stdout:
            self.seen.append(json.loads(line))
            yield self.seen[-1]

    def until(self, wanted):
        """The next event for which wanted(event) holds; everything read so far stays in `seen`."""
        for event in self:
            if wanted(event):
                return event
        raise AssertionError(
            f"the events ended without the one awaited; the last: {self.seen[-3:]}; "
            f"{self.process.stderr.read()}"
        )

    def finish(self):
        """Reads to the end; (exit code, every event, stderr)."""
        for _ in self:
            pass
        errors = self.process.stderr.read()
        return self.process.wait(), self.seen, errors


class Cluster:
    """Everything is started on loopback at a free port, in one folder, and stopped at the end."""

    def __init__(self, build=None):
        self.bin = (build or build_folder()) / "bin"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pmt-"))
        self.coordinator = None
        self.workers = []
        self.variables = {}  # of `pmt`'s environment, beside this process's
        self.before_worker = []  # what command lines of pmt-worker begin with

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start_coordinator(self, **flags):
        folder = self.folder / "coordinator"
        flags = {"listen": ANY_PORT, "http": ANY_PORT, "data_dir": folder / "data", **flags}
        self.coordinator = self.program("pmt-coordinator", folder, flags)
        return self.coordinator.start()

    def program(self, name, folder, flags):
        return Program(self.bin / name, folder, **flags)

    def restart_coordinator(self):
        """Starts a stopped or killed coordinator at its old addresses.

        Again where another program's connection happens to have one of the ports.
        """
        ready = self.coordinator.ready
        self.coordinator.flags |= {"listen": ready["grpc"], "http": ready["http"]}
        eventually(self.coordinator_starts, START_SECONDS, "the coordinator's addresses are taken")

    def coordinator_starts(self):
        try:
            return self.coordinator.start()
        except StartError as error:
            if "cannot listen on" not in str(error):
                raise

    def start_worker(self, **flags):
        folder = self.folder / f"worker{len(self.workers) + 1}"
        flags = {
            "coordinator": self.server,
            "work_dir": folder / "work",
            "metrics": ANY_PORT,
            "slots": 2,
            **flags,
        }
        self.workers.append(self.program("pmt-worker", folder, flags))
        self.workers[-1].before = self.before_worker
        return self.workers[-1].start()

    @property
    def server(self):
        return self.coordinator.ready["grpc"]

    @property
    def page(self):
        return f"http://{self.coordinator.ready['http']}"

    def client(self):
        """What command lines of `pmt` begin with."""
        return []

    def environment(self):
        return {**os.environ, "PREFIXMEM_SERVER": self.server, **self.variables}

    def pmt(self, *args, seconds=120):
        """Runs `pmt ARGS`, its output captured."""
        done = subprocess.run(
            [*self.client(), self.bin / "pmt", *map(str, args)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            preexec_fn=die_with_parent,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def pmt_here(self, *args):
        """Runs `pmt ARGS` on this process's own terminal; its exit code."""
        return subprocess.run(
            [self.bin / "pmt", *map(str, args)],
            env=self.environment(),
            check=False,
            preexec_fn=die_with_parent,
        ).returncode

    def watch(self, job, seconds=120):
        command = [*self.client(), self.bin / "pmt", "watch", job, "-o", "json"]
        return Watch(command, self.environment(), seconds)

    def logs(self):
        """The last lines of every program, for the one who looks at a failure."""
        programs = [p for p in [self.coordinator, *self.workers] if p]
        return "\n".join(f"--- {p.log}\n{p.tail()}" for p in programs)

    def close(self):
        """Stops the workers, then the coordinator, and removes the folder."""
        for program in [*self.workers, self.coordinator]:
            if program:
                program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
