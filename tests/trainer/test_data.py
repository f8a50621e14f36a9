"""Files of rows in other forms than JSONL, and rows that are too long."""

import json

import pandas
import pytest
from conftest import losses

ROWS = [{"prompt": "q" * (i % 5), "completion": f"a, {i}"} for i in range(9)]
LONG = [{"prompt": "p" * 200, "completion": "x"}, {"prompt": "p", "completion": "x" * 200}]
FORMAT = {"data__format": "prompt_completion", "eval__mode": "loss"}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_every_form_trains_alike(workspace, suffix):
    workspace.write_rows(workspace.data, ROWS)
    expected = losses(workspace.train("jsonl", data__eval=None, **FORMAT))
    table, file = pandas.DataFrame(ROWS), workspace.folder / f"rows.{suffix}"
    if suffix == "parquet":
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False, sep="\t" if suffix == "tsv" else ",")
    out = workspace.train(suffix, data__train=str(file), data__eval=None, **FORMAT)
    assert losses(out) == expected


@pytest.mark.parametrize("ranks", [1, 2], ids=["alone", "gang"])
def test_long_rows_are_counted(workspace, ranks):
    workspace.write_rows(workspace.data, ROWS + LONG)
    spec = workspace.spec("drop", data__overflow="drop", data__max_tokens=64, **FORMAT)
    out = workspace.folder / "out-drop"
    said = workspace.run(spec, out, ranks).splitlines()
    notes = [line for line in said if "longer than" in line]
    assert [note.partition("data.")[2] for note in notes] == [
        "train: 2 of 11 rows were longer than 64 tokens (data.max_tokens): dropped",
        "eval: 2 of 11 rows were longer than 64 tokens (data.max_tokens): dropped",
    ]
    result = json.loads((out / "result.json").read_text())
    counts = {"total": 11, "too_long": 2}
    assert result["rows"] == {"train": counts, "eval": counts}
    assert result["evals"][-1]["rows"] == 9


def test_rows_that_fit_are_not_mentioned(workspace):
    spec = workspace.spec("fits", data__overflow="truncate_left")
    out = workspace.folder / "out-fits"
    assert "longer than" not in workspace.run(spec, out)
    result = json.loads((out / "result.json").read_text())
    assert result["rows"]["train"] == {"total": 23, "too_long": 0}


def test_rows_kept_by_another_run_train_alike(workspace):
    """Two ranks fill the folder at the same time, one rank reads it."""
    cache = workspace.folder / "cache"
    workspace.train("first", ranks=2, extra=["--cache", str(cache)])
    (kept,) = cache.iterdir()
    written = kept.stat().st_ino
    again = workspace.train("again", extra=["--cache", str(cache)])
    assert [file.stat().st_ino for file in cache.iterdir()] == [written]
    assert losses(again) == losses(workspace.train("plain"))
