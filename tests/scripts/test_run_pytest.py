"""tests/run_pytest.py, which lets no test be skipped unnoticed."""

import os
import pathlib
import subprocess
import sys

import pytest

RUNNER = pathlib.Path(__file__).resolve().parents[1] / "run_pytest.py"


def run(folder, reason, shared):
    file = folder / "test_one.py"
    file.write_text(f"import pytest\n\n\ndef test_one():\n    pytest.skip({reason!r})\n")
    return subprocess.run(
        [sys.executable, RUNNER, "-q", "-p", "no:cacheprovider", file],
        env=os.environ | {"PREFIXMEM_SHARED": str(shared)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_this_host_lacks_may_be_skipped(tmp_path):
    done = run(tmp_path, "only root becomes somebody else", tmp_path)
    assert done.returncode == 0, done.stdout


def test_another_reason_fails_the_run(tmp_path):
    done = run(tmp_path, "not today", tmp_path)
    assert done.returncode == 1
    assert "test_one is skipped" in done.stdout and "not today" in done.stdout


@pytest.mark.parametrize("there", [True, False])
def test_shared_models_may_lack_only_where_there_are_none(tmp_path, there):
    shared = tmp_path if there else tmp_path / "none"
    reason = "/x is absent; PREFIXMEM_SHARED names the folder of shared models."
    assert run(tmp_path, reason, shared).returncode == there
