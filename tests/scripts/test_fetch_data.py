"""scripts/fetch_data.py against small mirrors and sources made here."""

import hashlib
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

REPO = pathlib.Path(__file__).resolve().parents[2]
CSV = 'text,category\n  Where is my card? ,card_arrival\n"Two, please",top_up\n'
ROWS = (
    '{"text": "Where is my card?", "label": "card arrival"}\n'
    '{"text": "Two, please", "label": "top up"}\n'
)
DIGEST = hashlib.sha256(ROWS.encode()).hexdigest()


class Place:
    """A folder with a registry of one set, `tiny`, with one split."""

    def __init__(self, folder):
        self.folder = folder
        self.source = folder / "original.csv"
        self.source.write_text(CSV, encoding="utf-8")
        self.mirror = folder / "mirror"
        (self.mirror / "tiny").mkdir(parents=True)
        self.mirrored = self.mirror / "tiny" / "train.jsonl"
        self.out = folder / "out"

    def fetch(self, name="tiny", mirror=True, source=True):
        entry = {"splits": {"train": {"file": "train.jsonl", "rows": 2, "sha256": DIGEST}}}
        if source:
            entry |= {"convert": "banking_csv", "source": {"train": self.source.as_uri()}}
        registry = self.folder / "registry.yaml"
        registry.write_text(yaml.safe_dump({"tiny": entry}), encoding="utf-8")
        env = {k: v for k, v in os.environ.items() if k != "PREFIXMEM_DATA"}
        if mirror:
            env["PREFIXMEM_DATA"] = str(self.mirror)
        command = [sys.executable, REPO / "scripts/fetch_data.py", name]
        command += ["--registry", registry, "--out", self.out]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    def fetched(self):
        return (self.out / "train.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_mirror_comes_first(place):
    place.mirrored.write_text(ROWS, encoding="utf-8")
    place.source.unlink()
    run = place.fetch()
    assert (run.returncode, run.stdout.strip()) == (0, str(place.out))
    assert place.fetched() == ROWS


def test_public_source_is_converted(place):
    run = place.fetch(mirror=False)
    assert run.returncode == 0, run.stderr
    assert place.fetched() == ROWS


def test_bad_mirror_falls_through_to_the_source(place):
    place.mirrored.write_text("tampered\n", encoding="utf-8")
    assert place.fetch().returncode == 0
    assert place.fetched() == ROWS


def test_every_failure_gets_a_sentence(place):
    place.mirrored.write_text("tampered\n", encoding="utf-8")
    place.source.unlink()
    run = place.fetch()
    assert run.returncode == 1
    mirror, source = run.stderr.splitlines()
    assert mirror.startswith(f"{place.mirrored} has the wrong checksum")
    assert source.startswith(f"{place.source.as_uri()} cannot be reached")
    assert not (place.out / "train.jsonl").exists()


def test_changed_source_is_refused(place):
    place.source.write_text(CSV + "more,rows\n", encoding="utf-8")
    run = place.fetch(mirror=False)
    assert run.returncode == 1
    assert "has the wrong checksum" in run.stderr


def test_damaged_copy_is_fetched_again(place):
    assert place.fetch(mirror=False).returncode == 0
    (place.out / "train.jsonl").write_text("damaged", encoding="utf-8")
    assert place.fetch(mirror=False).returncode == 0
    assert place.fetched() == ROWS


def test_unknown_name_lists_the_known(place):
    run = place.fetch(name="nothing")
    assert run.returncode == 1
    assert run.stderr.strip() == "No data set 'nothing'; the registry has tiny."


def test_no_source_is_said(place):
    run = place.fetch(mirror=False, source=False)
    assert run.returncode == 1
    assert "names no public source" in run.stderr
