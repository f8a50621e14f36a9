"""Supervised fine-tuning on short rows: 8 rows of 48 tokens, 4 of them labels.

    python tests/bench/sft.py [--shape gemma|qwen] [--rounds 1] [--steps 6]
        [--dtypes bf16,fp32]

LoRA and Prefix-Tuning here and in PEFT, each pair from one initial adapter, and PrefixMemory beside
PEFT's LoRA. Memory is that of the faster dtype of each.
"""

import dataclasses
import functools
import pathlib
import tempfile

import harness
import models
import runs
import workloads
from contest import Contest
from harness import Figure

BATCH = 8
BARS = {  # times as fast
    "gemma": {"PrefixMemory": 6, "LoRA": 5, "Prefix-Tuning": 4},
    "qwen": {"PrefixMemory": 2.6, "LoRA": 2, "Prefix-Tuning": 2},
}
MEMORY_BAR = 0.5
METHODS = {"PrefixMemory": runs.MEMORY, "LoRA": runs.LORA, "Prefix-Tuning": runs.PREFIX}
RIVALS = {"PrefixMemory": "LoRA", "LoRA": "LoRA", "Prefix-Tuning": "Prefix-Tuning"}


def contestants(task):
    prefix = dataclasses.replace(task, rate=runs.PREFIX_RATE)
    tasks = {"PrefixMemory": task, "LoRA": task, "Prefix-Tuning": prefix}
    for name in sorted(set(RIVALS.values())):
        start = runs.initial_adapter(task, METHODS[name])
        yield f"PEFT {name}", functools.partial(runs.theirs, tasks[name], start)
    for name, method in METHODS.items():
        yield name, functools.partial(runs.ours, tasks[name], method)


def figures(shape, contest):
    for ours, rival in RIVALS.items():
        theirs = f"PEFT {rival}"
        yield Figure(
            f"SFT on short rows, {shape}, {ours} vs {theirs}",
            contest.times(ours, theirs),
            BARS[shape][ours],
            detail=contest.beside(ours, theirs),
        )
    yield Figure(
        f"peak memory, {shape}, PrefixMemory over PEFT LoRA",
        contest.peak("PrefixMemory") / contest.peak("PEFT LoRA"),
        MEMORY_BAR,
        unit="",
        at_most=True,
        detail=f"{contest.peak('PrefixMemory') / 2**20:.0f} MiB in "
        f"{contest.faster('PrefixMemory')}, {contest.peak('PEFT LoRA') / 2**20:.0f} in "
        f"{contest.faster('PEFT LoRA')}",
    )


def bench(options):
    model = models.ALL[options.shape](options)
    with tempfile.TemporaryDirectory() as folder:
        task = runs.task(
            model,
            workloads.short_rows(model, BATCH * options.steps),
            pathlib.Path(folder),
            batch=BATCH,
            steps=options.steps,
            threads=options.threads,
        )
        taking_part = dict(contestants(task))
        contest = Contest(taking_part, options.rounds, BATCH, options.dtypes.split(","))
    yield from contest.agreement("LoRA", "PEFT LoRA")
    yield from contest.agreement("Prefix-Tuning", "PEFT Prefix-Tuning")
    yield from figures(options.shape, contest)
    yield contest.table()


if __name__ == "__main__":
    settings = {"shape": "gemma", "rounds": 1, "steps": 6, "dtypes": "bf16,fp32"}
    harness.main("sft", bench, __doc__, apart="shape", **settings)
