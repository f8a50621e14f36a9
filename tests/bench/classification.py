"""Classification with the list of 77 labels in the prompt: 8 rows of 344 shared and 53 own tokens.

    python tests/bench/classification.py [--rounds 1] [--steps 4] [--dtypes bf16]

PrefixMemory and LoRA here beside PEFT's LoRA, and here with nothing to share: the same rows, each
with a word of its own in front. PEFT computes logits at every token, which takes 18 GiB in bf16 and
more than 24 in fp32 (--dtypes bf16,fp32).
"""

import pathlib
import tempfile

import harness
import runs
import workloads
from contest import Contest
from harness import Figure

BATCH = 8
BAR = 30
WORK = "classification with the label list in the prompt, Gemma"


def told_apart(made):
    """Begins the rows of any batch with words that differ."""
    return [{**row, "prompt": f"{i} {row['prompt']}"} for i, row in enumerate(made)]


def contestants(task, apart):
    start = runs.initial_adapter(task, runs.LORA)
    return {
        "PEFT LoRA": lambda dtype: runs.theirs(task, start, dtype),
        "LoRA": lambda dtype: runs.ours(task, runs.LORA, dtype),
        "PrefixMemory": lambda dtype: runs.ours(task, runs.MEMORY, dtype),
        "PrefixMemory, nothing shared": lambda dtype: runs.ours(apart, runs.MEMORY, dtype),
    }


def bench(options):
    made = workloads.listed_rows(options.model, BATCH * options.steps)
    settings = {"batch": BATCH, "steps": options.steps, "threads": options.threads}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        task = runs.task(options.model, made, folder, **settings)
        apart = runs.task(options.model, told_apart(made), folder, **settings)
        contest = Contest(
            contestants(task, apart), options.rounds, BATCH, options.dtypes.split(",")
        )
    yield from contest.agreement("LoRA", "PEFT LoRA")
    for ours, bar in (("PrefixMemory", BAR), ("LoRA", None)):
        detail = contest.beside(ours, "PEFT LoRA")
        times = contest.times(ours, "PEFT LoRA")
        yield Figure(f"{WORK}, {ours} vs PEFT LoRA", times, bar, detail=detail)
    alone = "PrefixMemory, nothing shared"
    yield Figure(
        f"{WORK}, PrefixMemory, prompts shared vs not",
        contest.times("PrefixMemory", alone),
        detail=contest.beside("PrefixMemory", alone),
    )
    yield contest.table()


if __name__ == "__main__":
    harness.main("classification", bench, __doc__, rounds=1, steps=4, dtypes="bf16")
