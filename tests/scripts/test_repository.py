"""Facts about files kept in the repository."""

import collections
import json
import pathlib
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_intents_are_balanced_and_disjoint():
    train, test = (rows(REPO / f"tests/data/intents/{s}.jsonl") for s in ("train", "test"))
    assert set(collections.Counter(r["label"] for r in train).values()) == {4}
    assert set(collections.Counter(r["label"] for r in test).values()) == {6}
    assert {r["label"] for r in train} == {r["label"] for r in test}
    texts = [r["text"] for r in train + test]
    assert len(texts) == len(set(texts))


def test_second_set_up_does_nothing():
    run = subprocess.run(
        [REPO / "scripts/setup.sh"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_locked_versions_are_installed():
    lock = (REPO / "requirements/lock.txt").read_text(encoding="utf-8")
    wanted = {line.split(" ")[0].lower() for line in lock.splitlines() if "==" in line}
    freeze = [sys.executable, "-m", "uv", "pip", "freeze", "--python", sys.executable]
    out = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    have = {line.strip().lower().replace("_", "-") for line in out.splitlines()}
    assert {w.replace("_", "-") for w in wanted} <= have
