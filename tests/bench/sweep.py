"""A sweep of 12 few-shot trials through the service, against PEFT runs one after another.

    python tests/bench/sweep.py [--steps 6] [--rows 2] [--all 0]

PrefixMemory, LoRA and Prefix-Tuning at four learning rates each on Banking77, one row a class, the
list of labels in the prompt; then ROWS test rows by the likelihood of the 77 labels. Here: from
`pmt submit` to the table of `pmt results`, with a coordinator and one worker that wait for work.
PEFT: process, imports, model, training and the same evaluation for each trial; LoRA stands in for
PrefixMemory, which PEFT lacks. A learning rate does not change a run's time, so one run of each
method is measured and counted as often as it occurs; --all 1 runs all twelve.
"""

import json
import pathlib
import sys
import tempfile
import time

import harness
import rows
import runs
import workloads
from harness import Check, Figure

sys.path.insert(0, str(harness.REPO / "deploy" / "local"))
from cluster import Cluster
from contest import differences

BATCH = 8
BAR = 30
RATES = [3e-4, 1e-3, 3e-3, 1e-2]
COMPARED = 1e-3  # the rate whose losses are compared
RIGHT_BAR = 1
METHODS = {"PrefixMemory": runs.MEMORY, "LoRA": runs.LORA, "Prefix-Tuning": runs.PREFIX}
STANDS_FOR = {"LoRA": ["PrefixMemory", "LoRA"], "Prefix-Tuning": ["Prefix-Tuning"]}


def few_shot():
    return rows.few_shot(rows.read(workloads.data_folder("banking77") / "train.jsonl"), 1, 0)


def spec(options, eval_rows, starts):
    """The sweep; LoRA and Prefix-Tuning begin where PEFT's do."""
    methods = [
        {**method, "init": str(starts[name])} if name in starts else method
        for name, method in METHODS.items()
    ]
    return {
        "name": "sweep",
        "model": str(options.model),
        "data": {
            "train": str(workloads.data_folder("banking77") / "train.jsonl"),
            "eval": str(eval_rows),
            "format": "text_label",
            "template": workloads.LISTED,
            "completion": workloads.COMPLETION,
            "few_shot": {"per_class": 1, "seed": 0},
        },
        "train": {"max_steps": options.steps, "global_batch_size": BATCH, "dtype": "bf16"},
        "eval": {"mode": "label_likelihood"},
        "resources": {"device": "cpu", "threads": options.threads},
        "sweep": {"grid": {"method": methods, "train.learning_rate": RATES}},
    }


def succeed(done):
    if done.code != 0:
        sys.exit(done.err.strip() or done.out.strip())
    return done


def through_the_service(file, folder):
    """(seconds from submit to table, [(losses, rows right)] of the trials in their order)"""
    with Cluster() as cluster:
        cluster.start_coordinator()
        cluster.start_worker(slots=1)
        start = time.monotonic()
        sweep = succeed(cluster.pmt("submit", file, "-o", "json")).json
        succeed(cluster.pmt("watch", sweep["sweep_id"], seconds=3600))
        harness.say(succeed(cluster.pmt("results", sweep["sweep_id"])).out)
        seconds = time.monotonic() - start
        for job in sweep["jobs"]:
            succeed(cluster.pmt("download", job["id"], "--out", folder / job["id"]))
    return seconds, [outcome(folder / job["id"]) for job in sweep["jobs"]]


def outcome(folder):
    [score] = json.loads((folder / "result.json").read_text())["evals"]
    losses = [step["loss"] for step in rows.read(folder / "metrics.jsonl")]
    return losses, round(score["value"] * score["rows"])


def one_after_another(options, task, labels, starts):
    """(seconds of all runs, {method: (losses, rows right)} at COMPARED)"""
    test = workloads.likelihoods(workloads.LISTED, workloads.test_rows(options.rows), labels)
    total, found = 0, {}
    for name, stands_for in STANDS_FOR.items():
        for rate in RATES if options.all else [COMPARED]:
            start = time.monotonic()
            question = {**task.as_json(), "rate": rate, "adapter": starts[name], "eval": test}
            answer, _ = runs.worker("peft_worker.py", question | {"dtype": options.dtype})
            seconds = time.monotonic() - start
            harness.say(f"  PEFT {name}, {rate:g}: {seconds:.0f} s")
            total += seconds * len(stands_for) * (1 if options.all else len(RATES))
            if rate == COMPARED:
                found[name] = answer["losses"], sum(answer["right"])
    return total, found


def checks(options, ours, theirs):
    for name, (losses, right) in theirs.items():
        mine, my_right = ours[list(METHODS).index(name) * len(RATES) + RATES.index(COMPARED)]
        for what, away, limit in differences(options.dtype, mine, losses):
            yield Check(
                f"{name} at {COMPARED:g}: {what} within {away:.1e} of PEFT (allowed {limit:.0e})",
                away <= limit,
            )
        text = f"{name} at {COMPARED:g}: {my_right} of {options.rows} rows right, PEFT {right}"
        yield Check(text, abs(my_right - right) <= RIGHT_BAR)


def bench(options):
    labels = workloads.banking_labels()
    made = [workloads.filled(workloads.LISTED, row, labels) for row in few_shot()]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        settings = {"batch": BATCH, "steps": options.steps, "threads": options.threads}
        task = runs.task(options.model, made, folder, **settings)
        starts = {name: runs.initial_adapter(task, METHODS[name]) for name in STANDS_FOR}
        eval_rows = rows.write(folder / "test.jsonl", workloads.test_rows(options.rows))
        file = folder / "sweep.yaml"
        file.write_text(json.dumps(spec(options, eval_rows, starts)))
        seconds, ours = through_the_service(file, folder)
        harness.say(f"  here: {seconds:.0f} s")
        their_seconds, theirs = one_after_another(options, task, labels, starts)
    yield from checks(options, ours, theirs)
    yield Figure(
        f"a sweep of {len(ours)} few-shot trials, submit to table, vs {len(ours)} PEFT runs",
        their_seconds / seconds,
        BAR,
        detail=f"{seconds:.0f} s, {their_seconds:.0f} s in {options.dtype}",
    )


if __name__ == "__main__":
    harness.main("sweep", bench, __doc__, steps=6, rows=2, dtype="bf16", all=0)
