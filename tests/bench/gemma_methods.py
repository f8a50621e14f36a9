"""Every method on a real model: does it run, lower the loss and beat the untuned base?

    python tests/bench/gemma_methods.py --out DIR [--model DIR] [--data DIR] [--ranks 2]

Trains each method on 56 rows of DBpedia-14, and PrefixMemory with DPO on the same rows as
preferences, by hand; prints the table that docs/benchmarks.md keeps and fails where a loss does not
fall or the base is not beaten on the test rows. It compares no methods: one learning rate each,
none searched. --data holds the folder dbpedia14. A run whose result lies in --out is not made
again.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

import gemma_rows
import harness
import machine
from rows import write

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "trainer"))
import conftest as trainer  # noqa: E402

TEMPLATE = "{text}\nClass:"
EPOCHS = 6


@dataclasses.dataclass(frozen=True)
class Run:
    objective: str
    method: dict
    learning_rate: float

    @property
    def name(self):
        return f"{self.objective}-{self.method['type']}"


# PrefixMemory is the first of its objective: before its first step it is the base, to the bit.
RUNS = [
    Run("sft", {"type": "prefix_memory"}, 1e-3),
    Run("sft", {"type": "prefix_tuning", "num_virtual_tokens": 20}, 3e-2),
    Run("sft", {"type": "lora", "r": 8, "alpha": 16}, 1e-3),
    Run("sft", {"type": "full"}, 3e-5),
    Run("dpo", {"type": "prefix_memory"}, 1e-3),
]
DATA = {
    "sft": {"format": "text_label", "template": TEMPLATE, "completion": " {label}"},
    "dpo": {"format": "preference"},
}
EVAL = {"sft": "label_likelihood", "dpo": "preference"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, default=REPO / ".deps/models/gemma3-270m")
    data = os.environ.get("PREFIXMEM_DATA", REPO / ".deps/data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--ranks", type=int, default=2)
    return parser.parse_args()


def write_rows(args):
    """{(objective, split): file}"""
    files = {}
    for split in gemma_rows.SPLITS:
        rows = gemma_rows.classes(args.data / "dbpedia14", split)
        for objective, kind in (("sft", rows), ("dpo", gemma_rows.pairs(rows, TEMPLATE))):
            file = args.out / f"{objective}-{split}.jsonl"
            files[objective, split] = write(file, kind)
    return files


def spec_of(args, files, run):
    return {
        "name": run.name,
        "model": str(args.model.absolute()),
        "method": run.method,
        "objective": run.objective,
        "data": {
            **DATA[run.objective],
            "train": str(files[run.objective, "train"]),
            "eval": str(files[run.objective, "test"]),
        },
        "train": {
            "epochs": EPOCHS,
            "global_batch_size": 14,
            "learning_rate": run.learning_rate,
            "schedule": "cosine",
            "warmup_steps": 2,
            "dtype": "bf16",
        },
        "eval": {"mode": EVAL[run.objective], "before": True},
        "resources": {"ranks": args.ranks, "device": "cpu"},
    }


def train(args, spec):
    """The output folder of `spec`, trained now unless its result is there."""
    file, out = args.out / f"{spec['name']}.json", args.out / spec["name"]
    if (out / "result.json").exists() and json.loads(file.read_text()) == spec:
        return out
    shutil.rmtree(out, ignore_errors=True)
    file.write_text(json.dumps(spec, indent=2))
    command = [*trainer.MPIRUN, "-n", str(args.ranks), str(trainer.TRAINER), str(file)]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{spec['name']} failed:\n{done.stderr[-3000:]}")
    return out


def epoch_means(out):
    """Mean training loss of the first and of the last epoch."""
    found = trainer.losses(out)
    length = len(found) // EPOCHS
    return sum(found[:length]) / length, sum(found[-length:]) / length


def scores(out):
    """On the test rows, before the first step and after the last."""
    return [one["value"] for one in json.loads((out / "result.json").read_text())["evals"]]


def row(run, out, base):
    """(line of the table, whether the loss fell and the base is beaten)"""
    result = json.loads((out / "result.json").read_text())
    (first, last), tuned = epoch_means(out), scores(out)[-1]
    line = (
        f"| {run.objective} | {run.method['type']} | {result['trainable_parameters']:,} | "
        f"{run.learning_rate:g} | {first:.3f} | {last:.3f} | {100 * base:.1f} % | "
        f"{100 * tuned:.1f} % | {result['wall_seconds']:.0f} |"
    )
    return line, last < first and tuned > base


def heading(args):
    yield (
        f"{datetime.date.today()}, commit {harness.commit()}, {machine.description()}; "
        f"{args.ranks} ranks:"
    )
    yield ""
    yield (
        "| objective | method | trainable parameters | learning rate | loss, first epoch | "
        "loss, last epoch | base, test rows | tuned, test rows | seconds |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"


def main():
    args = arguments()
    args.out = args.out.absolute()
    args.out.mkdir(parents=True, exist_ok=True)
    files = write_rows(args)
    print("\n".join(heading(args)), flush=True)
    kept, bases = [], {}
    for run in RUNS:
        out = train(args, spec_of(args, files, run))
        line, good = row(run, out, bases.setdefault(run.objective, scores(out)[0]))
        print(line, flush=True)
        kept.append(good)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
