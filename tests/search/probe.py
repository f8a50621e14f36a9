"""A search of coordinator/sweep, asked through search_probe."""

import contextlib
import json
import math
import os
import pathlib
import subprocess

import yaml

REPO = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build")) / "tests/search_probe"


class Search:
    def __init__(self, process):
        self._process = process

    def ask(self):
        """The number of the next trial, and its setting with numbers as numbers."""
        answer = self._answer(ask={})
        setting = {path: yaml.safe_load(text) for path, text in answer["setting"].items()}
        return answer["number"], {path: _number(value) for path, value in setting.items()}

    def report(self, number, step, value):
        """Why the trial is stopped; None: it goes on."""
        value = None if math.isnan(value) else value
        answer = self._answer(report={"number": number, "step": step, "value": value})
        return answer["reason"] if answer["stop"] else None

    def finish(self, number):
        self._answer(finish={"number": number})

    def _answer(self, **question):
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def _number(value):
    """YAML 1.1 takes 1e-05 for text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


@contextlib.contextmanager
def searching(folder, sweep, name="study"):
    assert PROGRAM.exists(), f"{PROGRAM} is not built; PREFIXMEM_BUILD names the build folder"
    spec = {
        "name": name,
        "model": "/m",
        "data": {"train": "t", "eval": "e"},
        "method": "prefix_memory",
        "train": {"max_steps": 1, "eval_every": 1},
        "sweep": {"goal": {"metric": "loss", "mode": "min"}, **sweep},
    }
    file = folder / "search.yaml"
    file.write_text(json.dumps(spec))
    with subprocess.Popen(
        [PROGRAM, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Search(process)
        process.stdin.close()
    assert process.returncode == 0
