"""The GPU's benchmark runs to its end, here on a CPU and a tiny shape, which has no bars."""

import json
import os
import pathlib
import subprocess
import sys

import random_weights

HERE = pathlib.Path(__file__).resolve().parent


def test_it_runs(tmp_path):
    command = [sys.executable, HERE / "bench.py", "--shapes", "tiny", "--device", "cpu"]
    command += ["--steps", "6", "--work", tmp_path / "work", "--out", tmp_path / "out"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "out" / "gpu.json").read_text())
    works = [figure["work"] for figure in record["figures"]]
    assert len(works) == 1 + 2 * 2 + 3 + 2 + 1 + 2, works
    assert all(figure["value"] > 0 and figure["bar"] is None for figure in record["figures"])
    assert len(record["checks"]) == 2 + 3 + 8


def test_the_shapes_are_those_of_their_names():
    def billions(name):
        sizes = random_weights.tensors(random_weights.SHAPES[name]).values()
        return sum(s[0] * (s[1] if len(s) > 1 else 1) for s in sizes) / 1e9

    assert round(billions("llama-3.1-8b"), 2) == 8.03
    assert round(billions("llama2-7b"), 2) == 6.74
