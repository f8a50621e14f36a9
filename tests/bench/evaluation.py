"""Evaluation by the likelihood of 77 labels, against one padded batch of all of them for each row.

    python tests/bench/evaluation.py [--rows 2] [--short 16] [--dtypes bf16]

The base model without an adapter, on Banking77's test rows. With the list of labels in the prompt,
as in classification.py (ROWS rows), and without it (SHORT rows). transformers computes logits only
where a label stands (logits_to_keep).
"""

import json
import pathlib
import tempfile

import harness
import rows
import runs
import workloads
from harness import Check, Figure, Table

BAR = 30
RIGHT_BAR = 1  # rows that may be judged otherwise: labels nearly as likely


def spec(options, template, data, dtype):
    return {
        "name": "bench",
        "model": str(options.model),
        "method": "none",
        "data": {
            "train": str(workloads.data_folder("banking77") / "train.jsonl"),
            "eval": str(data),
            "format": "text_label",
            "template": template,
            "completion": workloads.COMPLETION,
        },
        "train": {"dtype": dtype},
        "eval": {"mode": "label_likelihood"},
        "resources": {"device": "cpu", "threads": options.threads},
    }


def ours(options, template, chosen, dtype, folder):
    """(seconds a row, rows judged right)"""
    data = rows.write(folder / "test.jsonl", chosen)
    out, _ = runs.train([], spec(options, template, data, dtype), folder)
    [result] = json.loads((out / "result.json").read_text())["evals"]
    return result["seconds"] / len(chosen), round(result["value"] * len(chosen))


def theirs(options, template, chosen, dtype, labels):
    question = {
        "model": options.model,
        "dtype": dtype,
        "threads": options.threads,
        "eval": workloads.likelihoods(template, chosen, labels),
    }
    answer, _ = runs.worker("peft_worker.py", question)
    return sum(answer["eval_seconds"]) / len(chosen), sum(answer["right"])


def compare(options, template, count, labels, folder):
    """{(side, dtype): (seconds a row, rows judged right)}"""
    chosen = workloads.test_rows(count)
    found = {}
    for dtype in options.dtypes.split(","):
        found["transformers", dtype] = theirs(options, template, chosen, dtype, labels)
        found["pmt-trainer", dtype] = ours(options, template, chosen, dtype, folder)
    return found


def fastest(found, side):
    return min((seconds, dtype) for (who, dtype), (seconds, _) in found.items() if who == side)


def bench(options):
    labels = workloads.banking_labels()
    cells = []
    for name, template, count, bar in (
        ("the label list in the prompt", workloads.LISTED, options.rows, BAR),
        ("a short prompt", workloads.SHORT, options.short, None),
    ):
        with tempfile.TemporaryDirectory() as folder:
            found = compare(options, template, count, labels, pathlib.Path(folder))
        for dtype in options.dtypes.split(","):
            right = [found[side, dtype][1] for side in ("pmt-trainer", "transformers")]
            text = f"{name}, {dtype}: {right[0]} of {count} rows right, transformers {right[1]}"
            yield Check(text, abs(right[0] - right[1]) <= RIGHT_BAR)
        (mine, my_dtype), (other, other_dtype) = (
            fastest(found, side) for side in ("pmt-trainer", "transformers")
        )
        yield Figure(
            f"evaluation by the likelihood of {len(labels)} labels, {name}",
            other / mine,
            bar,
            detail=f"{mine:.3f} s a row in {my_dtype}, {other:.2f} in {other_dtype}",
        )
        cells += [
            [name, side, dtype, f"{seconds:.3f}", f"{right} of {count}"]
            for (side, dtype), (seconds, right) in found.items()
        ]
    yield Table(["rows", "run", "dtype", "s a row", "right"], cells)


if __name__ == "__main__":
    harness.main("evaluation", bench, __doc__, rows=2, short=16, dtypes="bf16")
