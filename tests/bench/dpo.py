"""DPO on pairs of a prompt of 200 tokens and two answers of 40, against TRL, in Qwen's shape.

    python tests/bench/dpo.py [--rounds 1] [--steps 5] [--dtypes bf16]

LoRA on both sides from one initial adapter, whose base is the reference; PrefixMemory beside it.
"""

import pathlib
import tempfile

import harness
import models
import runs
import workloads
from contest import Contest
from harness import Figure

PAIRS = 2  # a step
BAR = 4


def bench(options):
    model = models.ALL["qwen"](options)
    pairs = workloads.preference_pairs(model, PAIRS * options.steps)
    with tempfile.TemporaryDirectory() as folder:
        task = runs.task(
            model,
            pairs,
            pathlib.Path(folder),
            batch=PAIRS,
            steps=options.steps,
            threads=options.threads,
            objective="dpo",
        )
        start = runs.initial_adapter(task, runs.LORA)
        contestants = {
            "TRL LoRA": lambda dtype: runs.theirs(task, start, dtype, "trl_worker.py"),
            "LoRA": lambda dtype: runs.ours(task, runs.LORA, dtype),
            "PrefixMemory": lambda dtype: runs.ours(task, runs.MEMORY, dtype),
        }
        contest = Contest(contestants, options.rounds, PAIRS, options.dtypes.split(","))
    yield from contest.agreement("LoRA", "TRL LoRA")
    for ours, bar in (("LoRA", BAR), ("PrefixMemory", None)):
        detail = contest.beside(ours, "TRL LoRA")
        yield Figure(
            f"DPO, qwen, {ours} vs TRL", contest.times(ours, "TRL LoRA"), bar, detail=detail
        )
    yield contest.table()


if __name__ == "__main__":
    harness.main("dpo", bench, __doc__, rounds=1, steps=5, dtypes="bf16")
