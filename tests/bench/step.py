"""A plain step: its share of the matmul rate, two ranks against two threads, the all-reduce.

    python tests/bench/step.py [--steps 12] [--rounds 2]

8 rows of 48 tokens, 4 of them labels. The share is that of step_bench, on random weights of each
shape: FLOPs of the weights that a token meets, over the best rate of a square product in either
dtype in the same process. The ranks train PrefixMemory on Gemma's real weights.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import harness
import runs
import workloads
from contest import WARM_UP, Contest
from harness import Figure, Table

BATCH, TOKENS, LABELS = 8, 48, 4
SHARE_BARS = {"gemma": 0.65, "qwen": 0.80}
RANKS_BAR = 0.95
ONE, TWO = "1 rank of 2 threads", "2 ranks of 1 thread"
LINE = re.compile(
    r"(?P<ms>[\d.]+) ms a step \(best (?P<best>[\d.]+)\), .* (?P<reached>\d+) of (?P<rate>\d+) "
    r"GFLOP/s: (?P<share>[\d.]+)"
)


def step_bench(options, shape):
    program = harness.build_folder() / "tests" / "step_bench"
    numbers = (BATCH, TOKENS, LABELS, options.threads, options.steps)
    command = [program, shape, "prefix_memory", *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed:\n{done.stderr}")
    return LINE.search(done.stdout).groupdict()


def shares(options):
    lines = []
    for shape, bar in SHARE_BARS.items():
        tries = [step_bench(options, shape) for _ in range(options.rounds)]
        found = sorted(tries, key=lambda one: float(one["share"]))[len(tries) // 2]
        detail = f"{found['reached']} of {found['rate']} GFLOP/s, {found['ms']} ms a step"
        work = f"share of the matmul rate, {shape}, PrefixMemory"
        yield Figure(work, float(found["share"]), bar, unit="", detail=detail)
        lines += [[shape, *one.values()] for one in tries]
    heading = ["shape", "ms a step", "best", "GFLOP/s reached", "GFLOP/s of matmul", "share"]
    yield Table(heading, lines)


def ranks(options):
    made = workloads.short_rows(options.model, BATCH * options.steps)
    settings = {"batch": BATCH, "steps": options.steps, "threads": 2}
    with tempfile.TemporaryDirectory() as folder:
        task = runs.task(options.model, made, pathlib.Path(folder), **settings)
        contestants = {
            ONE: lambda dtype: runs.ours(task, runs.MEMORY, dtype),
            TWO: lambda dtype: runs.ours(task, runs.MEMORY, dtype, ranks=2),
        }
        contest = Contest(contestants, options.rounds, BATCH)
    yield from contest.agreement(TWO, ONE)
    times = contest.times(TWO, ONE)
    yield Figure(f"{TWO} vs {ONE}, Gemma", times, RANKS_BAR, detail=contest.beside(TWO, ONE))
    steps = [
        reduced / seconds
        for run in contest.runs[TWO][contest.faster(TWO)]
        for reduced, seconds in zip(run.allreduce_seconds[WARM_UP:], run.seconds[WARM_UP:])
    ]
    yield Figure("all-reduce, share of a step of 2 ranks, Gemma", statistics.median(steps), unit="")
    yield contest.table()


def bench(options):
    yield from shares(options)
    yield from ranks(options)


if __name__ == "__main__":
    harness.main("step", bench, __doc__, rounds=2, steps=12)
