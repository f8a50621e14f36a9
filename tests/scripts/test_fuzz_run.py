"""tests/fuzz/run.sh with targets that are shell scripts and a cmake that does nothing."""

import os
import pathlib
import shutil
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[2]


def write_program(file, *lines):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)


def fuzz(root, **targets):
    """Each target's lines of shell; runs them all in the order of their names."""
    script = root / "tests" / "fuzz" / "run.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(REPO / "tests" / "fuzz" / "run.sh", script)
    write_program(root / "bin" / "cmake", "exit 0")
    for name, line in targets.items():
        (root / "tests" / "fuzz" / "seeds" / name).mkdir(parents=True)
        write_program(root / "build-fuzz" / "bin" / f"{name}_fuzz", line)
    path = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "FUZZ_SECONDS": "7"}
    return subprocess.run([script], env=environment, capture_output=True, text=True, check=False)


def test_a_target_that_breaks_ends_the_run(tmp_path):
    said = fuzz(
        tmp_path,
        a='echo "stat::number_of_executed_units: 3"',
        b='echo "SUMMARY: AddressSanitizer: heap-buffer-overflow" >&2; exit 77',
        c="exit 0",
    )
    assert said.returncode == 1
    assert "SUMMARY: AddressSanitizer" in said.stdout
    assert said.stderr == "fuzz: b broke with status 77; see build-fuzz/b.log\n"
    assert "fuzz: c" not in said.stdout


def test_all_targets_run(tmp_path):
    said = fuzz(tmp_path, a='echo "unmatched: $*"', b="echo Done 5 runs")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == "fuzz: a for 7 s\nfuzz: b for 7 s\nDone 5 runs\n"
    assert "-max_total_time=7" in (tmp_path / "build-fuzz" / "a.log").read_text()
