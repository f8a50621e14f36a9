#!/usr/bin/env python3
"""Stands in for pmt-trainer where a test is about the service: trains nothing, tells everything.

    bank_trainer.py --bank FILE --events SOCKET     or     SPEC --out DIR --resume --events SOCKET

Each trial takes a step, then another one each time the test adds to the file "go" beside its spec's
data, until train.max_steps. A step leaves a checkpoint that holds its number, from which a later
gang goes on. Rank 0 speaks; the other ranks wait for its end.
"""

import json
import os
import pathlib
import selectors
import signal
import socket
import sys

import yaml

RANK = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))


def flag(name):
    return sys.argv[sys.argv.index(name) + 1]


class Trial:
    """One job's part: its place in the bank, None outside of one."""

    def __init__(self, index, spec, out):
        self.index, self.out = index, pathlib.Path(out)
        self.spec = yaml.safe_load(pathlib.Path(spec).read_text())
        self.steps = self.spec["train"]["max_steps"]
        saved = self.out.glob("checkpoints/step-*")
        self.step = max((int(file.read_text()) for file in saved), default=0)

    def take_step(self, agent):
        self.step += 1
        gpu = {"device_bytes": 1 << 30, "device_utilization": 0.5}
        agent.tell(self, step={"step": self.step, "total_steps": self.steps, "loss": 1.0, **gpu})
        name = f"checkpoints/step-{self.step}"
        (self.out / name).write_text(str(self.step))
        agent.tell(self, artifact={"kind": "checkpoint", "path": name, "step": self.step})

    def finish(self, agent):
        (self.out / "result.json").write_text(json.dumps({"steps": self.step}))
        agent.tell(self, result={"steps": self.step})


class Agent:
    """The socket of the worker's agent."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(flag("--events"))
        self.send({"hello": {"rank": RANK, "pid": os.getpid()}})

    def send(self, line):
        self.socket.sendall(json.dumps(line).encode() + b"\n")

    def tell(self, trial, **event):
        self.send(event if trial.index is None else event | {"trial": trial.index})

    def stopped(self, trials):
        """The trials that are named in what has come; at its end the agent is gone."""
        bytes_read = self.socket.recv(1 << 16)
        if not bytes_read:
            sys.exit(20)
        lines = [json.loads(line) for line in bytes_read.splitlines()]
        return [trials[line["stop"]["trial"]] for line in lines if "stop" in line]


def trials_to_train():
    if "--bank" not in sys.argv:
        return [Trial(None, sys.argv[1], flag("--out"))]
    listed = json.loads(pathlib.Path(flag("--bank")).read_text())["trials"]
    return [Trial(i, each["spec"], each["out"]) for i, each in enumerate(listed)]


def steps_allowed(trial):
    go = pathlib.Path(trial.spec["data"]["train"]).with_name("go")
    return 1 + (len(go.read_text()) if go.exists() else 0)


def train(agent, trials):
    """A step of each trial that may take one, then a look at the socket, until all have ended."""
    left = list(trials)
    selector = selectors.DefaultSelector()
    selector.register(agent.socket, selectors.EVENT_READ)
    while left:
        for trial in list(left):
            if trial.step < min(steps_allowed(trial), trial.steps):
                trial.take_step(agent)
            if trial.step >= trial.steps:
                trial.finish(agent)
                left.remove(trial)
        for trial in agent.stopped(trials) if left and selector.select(0.05) else []:
            if trial in left:
                left.remove(trial)
                agent.tell(trial, failure={"rank": 0, "code": "CANCELLED", "message": "stopped"})


def main():
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(17))
    agent = Agent()
    if RANK == 0:
        train(agent, trials_to_train())
    else:
        agent.socket.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
