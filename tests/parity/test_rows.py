"""Rows of CSV and Parquet files as Python reads them, preference pairs as TRL cuts them."""

import csv
import json
import subprocess

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from programs import built
from trl.data_utils import maybe_extract_prompt

TEXTS = ["", " a ", "b,c", 'd "e"', "f\ng\r\nh", "é😀", "'", "\t", "#", "NA", "1.0", "x" * 70_000]
CHATS = [
    [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": 'é "a"\n'}]
    for i in range(5)
]


def read(file, data_format, **data):
    pairs = data_format == "preference"
    spec = {
        "name": "rows",
        "model": "none",
        "method": "lora",
        "objective": "dpo" if pairs else "sft",
        "data": {"train": str(file), "format": data_format, **data},
        "train": {"max_steps": 1},
    }
    job = file.with_name("job.yaml")
    job.write_text(json.dumps(spec))
    probe = built("tests", "rows_probe")
    done = subprocess.run([probe, file, job], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pairs_of(rows):
    return [(row["text"], row["label"]) for row in rows]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_tables(tmp_path, name, line_end):
    file = tmp_path / name
    separator = "\t" if name.endswith("tsv") else ","
    table = pandas.DataFrame({"id": range(12), "text": TEXTS, "label": [i % 3 for i in range(12)]})
    table.to_csv(file, sep=separator, index=False, lineterminator=line_end)
    rows = read(file, "text_label")
    with file.open(newline="") as lines:
        again = csv.DictReader(lines, delimiter=separator)
        assert pairs_of(rows) == [(row["text"], row["label"]) for row in again]
    assert pairs_of(rows) == [(text, str(i % 3)) for i, text in enumerate(TEXTS)]
    breaks = [text.count("\n") for text in TEXTS]
    assert [row["number"] for row in rows] == [2 + i + sum(breaks[:i]) for i in range(12)]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_parquet(tmp_path, compression, version):
    """Each way to hold text, in several row groups."""
    text = pyarrow.array(TEXTS)
    columns = {
        "prompt": text,
        "good": text.cast(pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        "bad": text.cast(pyarrow.binary() if version == "1.0" else pyarrow.large_string()),
        "other": pyarrow.array([[i] for i in range(12)]),
    }
    file = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table(columns),
        file,
        compression=compression,
        data_page_version=version,
        row_group_size=5,
        use_dictionary=["good"],
    )
    rows = read(file, "preference", columns={"chosen": "good", "rejected": "bad"})
    assert [row["text"] for row in rows] == TEXTS
    assert [row["label"] for row in rows] == TEXTS
    assert [row["rejected"] for row in rows] == TEXTS
    assert [row["number"] for row in rows] == list(range(1, 13))


def test_parquet_labels_are_whole_numbers(tmp_path):
    file = tmp_path / "rows.parquet"
    pandas.DataFrame({"intent": [3, -1, 0], "text": ["a", "b", "c"]}).to_parquet(file)
    rows = read(file, "text_label", columns={"label": "intent"})
    assert pairs_of(rows) == [("a", "3"), ("b", "-1"), ("c", "0")]


def test_parquet_messages(tmp_path):
    file = tmp_path / "rows.parquet"
    pandas.DataFrame({"messages": CHATS, "id": range(5)}).to_parquet(file)
    assert [json.loads(row["messages"]) for row in read(file, "messages")] == CHATS


def conversation(*texts):
    roles = ["user", "assistant"] * len(texts)
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


PAIRS = {
    "plain": {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
    "plain-implicit": {"chosen": "The sky is blue.", "rejected": "The sky is green."},
    "accents": {"chosen": "Le ciel était né", "rejected": "Le ciel était nè"},
    "inside-word": {"chosen": "ab cd", "rejected": "ab ce"},
    "chat": {
        "prompt": conversation("q"),
        "chosen": conversation("q", "a")[1:],
        "rejected": conversation("q", "b")[1:],
    },
    "chat-implicit": {"chosen": conversation("q", "a"), "rejected": conversation("q", "b")},
    "chat-long": {
        "chosen": conversation("q", "a", "r", "b"),
        "rejected": conversation("q", "a", "r", "c"),
    },
    "chat-text-prompt": {
        "prompt": "q",
        "chosen": conversation("q", "a"),
        "rejected": conversation("q", "b"),
    },
}


def check_pair(row, pair):
    expected = maybe_extract_prompt(dict(pair))
    ours = [row["text"], row["label"], row["rejected"]]
    if row["chat"]:
        ours = [json.loads(part) for part in ours]
    assert ours == [expected["prompt"], expected["chosen"], expected["rejected"]]


def test_preference_pairs(tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS.values()))
    rows = read(file, "preference")
    for row, pair in zip(rows, PAIRS.values(), strict=True):
        check_pair(row, pair)


@pytest.mark.parametrize("name", PAIRS)
def test_preference_pairs_of_parquet(tmp_path, name):
    file = tmp_path / "pairs.parquet"
    pandas.DataFrame([PAIRS[name]]).to_parquet(file)
    (row,) = read(file, "preference")
    check_pair(row, PAIRS[name])
