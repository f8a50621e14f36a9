#!/usr/bin/env python3
"""Harms a service while sweeps train, for MINUTES, and checks that nothing is lost.

usage: chaos.py [--minutes N] [--seed N]

Prints each fault as it happens, then the table of docs/chaos.md. Ends with 1, and what was wrong,
where a job has another result than undisturbed, does not end, or something is left behind.
"""

import argparse
import hashlib
import itertools
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

from faults import ALL, NoTarget
from jobs import adapter_bytes
from ledger import Ledger, Told
from programs import stop_on_signals
from stage import Stage
from tiny import labelled_rows, write_model, write_rows

STEPS, EVERY = 200, 20
METHODS = [{"type": "prefix_memory"}, {"type": "lora", "r": 2}]
SEEDS = [1, 2]
TRIALS = len(METHODS) * len(SEEDS)
RECOVERY_SECONDS = 180


def write_spec(folder):
    """Of a sweep whose jobs give the same bits however often they are moved."""
    write_model(folder / "model")
    rows = str(write_rows(folder / "train.jsonl", labelled_rows()))
    spec = {
        "name": "chaos",
        "model": str(folder / "model"),
        "data": {"train": rows, "format": "text_label"},
        "train": {
            "max_steps": STEPS,
            "checkpoint_every": EVERY,
            "global_batch_size": 6,
            "learning_rate": 0.01,
            "dtype": "fp32",
            "deterministic": True,
        },
        "resources": {"device": "cpu", "ranks": 2, "threads": 1, "time_limit": "1h"},
        "sweep": {"grid": {"method": METHODS, "train.seed": SEEDS}},
    }
    (folder / "sweep.yaml").write_text(json.dumps(spec))
    return folder / "sweep.yaml"


def schedule(faults, seed):
    """(fault, the random numbers that it has) for ever: each kind once, then each again, …"""
    order = random.Random(seed)
    for turn in itertools.count():
        for fault in order.sample(faults, len(faults)):
            yield fault, f"{seed} {turn} {fault.name}"


class Result(NamedTuple):
    """All that a job's training comes to."""

    adapter: str
    state_digest: str
    metrics: list  # [(step, loss)]
    losses: list  # the same, of the events


def unlike(found, expected):
    """Where two of a result's parts differ."""
    if isinstance(found, str):
        return f"{found} in place of {expected}"
    pairs = zip(found, expected, strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(found), len(expected)))
    return (
        f"{len(found)} entries in place of {len(expected)}, of which number {first} is "
        f"{found[first : first + 3]} in place of {expected[first : first + 3]}"
    )


class Wound:
    """One fault, and how long the service took to get over it."""

    def __init__(self, fault, trained):
        self.fault = fault
        self.before = {job: (told.attempt, told.step) for job, told in trained.items()}
        self.after = {}  # {job: attempt}
        self.seconds = None


class Chaos:
    def __init__(self, stage, ledger, folder):
        self.stage, self.ledger, self.folder = stage, ledger, folder
        self.spec = write_spec(folder)
        self.wounds = []
        self.expected = {}  # {trial: what the undisturbed job comes to}
        self.undisturbed = set()  # their ids

    # ---- jobs

    def listed(self):
        """{id: job} of all jobs but the undisturbed."""
        done = self.stage.pmt("list", "--all", "-o", "json")
        assert done.code == 0, done
        jobs = {job["id"]: job for job in done.json["jobs"]}
        return {job: shown for job, shown in jobs.items() if job not in self.undisturbed}

    def result(self, job, told):
        """All that its training comes to."""
        out = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        adapter = hashlib.sha256(adapter_bytes(self.stage, job["id"], out)).hexdigest()
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        metrics = [(line["step"], line["loss"]) for line in lines]
        losses = sorted(told.losses(job["id"]).items())
        return Result(adapter, job["progress"]["state_digest"], metrics, losses)

    def run_undisturbed(self):
        jobs = self.ledger.submit(self.spec)
        self.wait_for_ends()
        for job, shown in self.listed().items():
            assert jobs[job].state == "succeeded", shown
            self.expected[shown["trial"]["number"]] = self.result(shown, jobs[job])
        assert len(self.expected) == TRIALS
        for _, _, metrics, losses in self.expected.values():
            assert len(metrics) == len(losses) == STEPS
        self.undisturbed = set(jobs)

    def wait_for_ends(self):
        self.ledger.wait(lambda: not self.ledger.open, RECOVERY_SECONDS, "every job ends")

    def hungry(self):
        return len(self.ledger.open) < TRIALS

    def training(self):
        """Jobs that have something to lose."""
        jobs = self.ledger.open.items()
        return {j: told for j, told in jobs if told.state == "running" and told.step > EVERY}

    # ---- faults

    def strike(self, fault, numbers):
        """Waits until there is something that the fault can befall, and after it for recovery."""
        end = time.monotonic() + RECOVERY_SECONDS
        while True:
            if time.monotonic() > end:
                raise TimeoutError(f"{fault.name}: nothing to befall in {RECOVERY_SECONDS} s")
            if self.hungry():
                self.ledger.submit(self.spec)
            self.ledger.wait(lambda: self.training() or self.hungry(), RECOVERY_SECONDS, "training")
            self.stage.note_run_folders()
            wound = Wound(fault, self.training())
            began = time.monotonic()
            try:
                fault.strike(self.stage, random.Random(numbers))
                break
            except NoTarget:
                seen = self.ledger.news
                self.ledger.wait(
                    lambda seen=seen: self.hungry() or self.ledger.news > seen,
                    RECOVERY_SECONDS,
                    "another event",
                )
        self.wounds.append(wound)
        self.ledger.wait(lambda: self.recovered(wound), RECOVERY_SECONDS, f"recovery: {fault.name}")
        wound.seconds = time.monotonic() - began
        wound.after = {job: self.ledger.jobs[job].attempt for job in wound.before}
        print(f"{wound.seconds:6.1f} s  {fault.name}", flush=True)

    def recovered(self, wound):
        """Every job that trained is a checkpoint past where it was, or has ended."""
        now = {job: self.ledger.jobs[job] for job in wound.before}
        return all(told.ended or told.step > wound.before[j][1] + EVERY for j, told in now.items())

    # ---- what must hold

    def check(self):
        """Every job succeeds with the result of the undisturbed; {id: what is told of it}."""
        self.wait_for_ends()
        shown = self.listed()
        told = {job: told for job, told in self.ledger.jobs.items() if job in shown}
        assert set(self.ledger.jobs) == set(shown) | self.undisturbed, "jobs come or go"
        for job, as_it_came in told.items():
            assert self.stored(job) == as_it_came, f"{job}: events were not those that are stored"
        for job, view in shown.items():
            assert told[job].state == "succeeded", f"{job}: {view.get('reason')}"
            expected = self.expected[view["trial"]["number"]]
            found = self.result(view, told[job])
            parts = zip(Result._fields, found, expected, strict=True)
            other = "; ".join(
                f"{name}: {unlike(*both)}" for name, *both in parts if both[0] != both[1]
            )
            assert found == expected, f"{job} came to something else: {other}"
        self.stage.check_nothing_leaks()
        return told

    def stored(self, job):
        told = Told()
        with self.stage.watch(job) as watch:
            for event in watch:
                told.add(event)
        return told


def steps_lost(wound, job, told):
    """Steps of the job that were done again for that fault, or for nothing."""
    steps = told.steps_by_attempt()
    first, last = wound.before[job][0], wound.after[job]
    attempts = [attempt for attempt in sorted(steps) if first <= attempt <= last]
    return sum(
        max(0, max(steps[one]) - min(steps[after]) + 1)
        for one, after in itertools.pairwise(attempts)
    )


def report(wounds, jobs):
    """Lines of a table: a row a kind of fault."""
    lines = [
        "| Fault | times | recovery, median | worst | jobs that went on elsewhere "
        "| steps done again a job, median | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(wound.fault.name for wound in wounds):
        of_kind = [wound for wound in wounds if wound.fault.name == kind]
        seconds = [wound.seconds for wound in of_kind]
        moved = [
            steps_lost(wound, job, jobs[job])
            for wound in of_kind
            for job, (attempt, _) in wound.before.items()
            if wound.after[job] > attempt
        ]
        again = f"{statistics.median(moved):.0f} | {max(moved)}" if moved else "- | -"
        lines.append(
            f"| {kind} | {len(of_kind)} | {statistics.median(seconds):.1f} s "
            f"| {max(seconds):.1f} s | {len(moved)} | {again} |"
        )
    return [
        *lines,
        "",
        f"{len(wounds)} faults; {len(jobs)} jobs succeeded, each with the undisturbed result.",
    ]


def run(faults, seed, enough):
    """Faults in the order of the seed until enough(wounds); the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="pmt-chaos-") as folder:
        with Stage() as stage, Ledger(stage) as ledger:
            stage.start()
            chaos = Chaos(stage, ledger, pathlib.Path(folder))
            possible = [fault for fault in faults if stage.has_disks or not fault.needs_disks]
            try:
                chaos.run_undisturbed()
                for fault, numbers in schedule(possible, seed):
                    chaos.strike(fault, numbers)
                    if enough(chaos.wounds):
                        break
                jobs = chaos.check()
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"seed {seed}: {error}\n{stage.logs()}") from error
        stage.check_no_orphans()
    return report(chaos.wounds, jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stop_on_signals()
    end = time.monotonic() + options.minutes * 60
    try:
        lines = run(ALL, options.seed, lambda _: time.monotonic() > end)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
