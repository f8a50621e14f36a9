"""scripts/fetch_model.py with a model that costs nothing to make."""

import importlib.util
import multiprocessing
import pathlib
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "fetch_model.py"
spec = importlib.util.spec_from_file_location("fetch_model", SCRIPT)
fetch_model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fetch_model)


def write_model(out):
    with (out.parent.parent / "made.log").open("a") as log:
        log.write("made\n")
    for name in fetch_model.NEEDED:
        (out / name).write_text(name)
    return "a test"


def run_main(out):
    fetch_model.MODELS["gemma3-270m"] = write_model
    sys.argv = ["fetch_model.py", "gemma3-270m", str(out)]
    fetch_model.main()


def test_two_callers_at_once_make_it_once(tmp_path):
    out = tmp_path / "model"
    fork = multiprocessing.get_context("fork")
    callers = [fork.Process(target=run_main, args=(out,)) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
        assert caller.exitcode == 0
    assert fetch_model.complete(out)
    assert (tmp_path / "made.log").read_text() == "made\n"


def test_a_changed_folder_is_made_anew(tmp_path):
    out = tmp_path / "model"
    run_main(out)
    (out / "config.json").write_text("cut")
    run_main(out)
    assert (out / "config.json").read_text() == "config.json"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    out = tmp_path / "model"
    out.mkdir()
    (out / "precious").write_text("mine")
    with pytest.raises(SystemExit, match="holds files that this script did not make"):
        run_main(out)
    assert (out / "precious").read_text() == "mine"
