"""The demo on a tiny model: its table, its adapters, and nothing left however it ends."""

import pathlib
import re
import signal
import subprocess
import sys

import demo
import pytest
import tiny
from conftest import REPO
from processes import alive, descendants
from programs import die_with_parent, eventually

INTENTS = REPO / "tests" / "data" / "intents"
JOBS = ("demo-base", "demo-prefix-memory", "demo-lora")
RANKS = 2  # of a gang


@pytest.fixture(scope="module")
def model(lab):
    folder = lab.folder / "demo-model"
    tiny.write_model(folder, positions=512)
    return folder


@pytest.fixture
def started(model, tmp_path):
    """The demo, its output in a pipe."""
    out = tmp_path / "out"
    command = [sys.executable, demo.__file__, "--model", model, "--data", INTENTS]
    process = subprocess.Popen(
        [*command, "--rows", "5", "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    )
    yield process
    process.kill()
    process.communicate()


def until_watching(process):
    """What the demo prints until it shows the progress."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "pmt watch" in line:
            break
    return "".join(lines)


def running(program, processes):
    return [p for p in processes if p.command.partition(" ")[0].endswith(program)]


def until_training(process):
    """Every process below the demo's once a gang is there."""

    def family():
        found = descendants(process.pid)
        return found if len(running("pmt-trainer", found)) >= RANKS else None

    return eventually(family, 60, "no gang is there")


def test_table_and_adapters(started, tmp_path):
    text = until_watching(started)
    family = until_training(started)
    text += started.communicate(timeout=240)[0]
    assert started.returncode == 0, text
    eventually(lambda: not [p for p in family if alive(p)], 10, "processes stay")
    assert re.search(r"page +http://127.0.0.1:\d+/$", text, re.MULTILINE) and "/metrics" in text
    (heads,) = re.findall(r"^name .*$", text, re.MULTILINE)
    for head in ("accuracy before", "accuracy after", "loss", "tokens/s", "trainable", "time"):
        assert head in heads
    assert all(re.search(rf"^{job} .* succeeded ", text, re.MULTILINE) for job in JOBS)
    for job in JOBS[1:]:
        (folder,) = re.findall(rf"^ +{job} +(/.*)$", text, re.MULTILINE)
        assert folder.startswith(str(tmp_path)) and folder.endswith("/adapter")
        assert (pathlib.Path(folder) / "adapter_model.safetensors").stat().st_size > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(started, number):
    text = until_watching(started)
    family = until_training(started)
    assert len(running("pmt-worker", family)) >= 2, text
    started.send_signal(number)
    started.communicate(timeout=60)
    assert started.returncode == 128 + number
    assert not [p for p in family if alive(p)]


def test_without_a_source_of_the_data(monkeypatch, capsys):
    prepare = [sys.executable, "-c", "import sys; sys.exit('The source cannot be reached.')"]
    monkeypatch.setattr(demo, "PREPARE", prepare)
    assert demo.data_folder() == INTENTS
    said = capsys.readouterr().out
    assert "The source cannot be reached." in said and "tests/data/intents instead" in said
