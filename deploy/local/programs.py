"""Programs that this process starts and that never outlive it."""

import ctypes
import json
import os
import pathlib
import signal
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class StartError(RuntimeError):
    """A program did not come up; the text ends with what it printed last."""


def die_with_parent():
    """For preexec_fn: the kernel asks the child to stop when this process goes, however it goes."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def eventually(condition, seconds, what):
    """The first true value of condition(); TimeoutError(what) when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)
    return value


class Program:
    """One long-running program with a ready file and a log, started and ended any number of times.

    `flags` become --name=value and may be changed between two starts; the program's own session
    keeps a Ctrl-C at the terminal away from it.
    """

    def __init__(self, binary, folder, **flags):
        self.binary = pathlib.Path(binary)
        self.flags = flags
        self.before = []  # what its command line begins with, a program that becomes it
        self.variables = {}  # of its environment, beside this process's
        self.log = pathlib.Path(folder) / "log"
        self.ready_file = pathlib.Path(folder) / "ready"
        self.ready = None  # what the ready file says
        self.process = None
        self.log.parent.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        flags = {**self.flags, "ready_file": self.ready_file}
        return [
            *self.before,
            self.binary,
            *(f"--{k.replace('_', '-')}={v}" for k, v in flags.items()),
        ]

    def start(self):
        self.ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env={**os.environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        try:
            eventually(self.is_ready, START_SECONDS, f"{self.binary.name} is not ready")
        except TimeoutError as error:
            self.kill()
            raise StartError(f"{error}\n{self.tail()}") from error
        self.ready = json.loads(self.ready_file.read_text())
        return self

    def is_ready(self):
        if (code := self.process.poll()) is not None:
            raise StartError(f"{self.binary.name} ended with {code}\n{self.tail()}")
        return self.ready_file.exists()

    def kill(self):
        """As a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """In order; a program that does not listen is killed. Ended already: nothing."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def stop_on_signals():
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that `with` and `finally` run."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def build_folder():
    repository = pathlib.Path(__file__).resolve().parents[2]
    return pathlib.Path(os.environ.get("PREFIXMEM_BUILD", repository / "build")).absolute()
