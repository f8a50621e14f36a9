"""Each bad input ends in one clear sentence that names the cause, and in an exit code."""

import shutil

import pytest
import tiny
from conftest import COORDINATOR
from jobs import show, submit
from programs import eventually
from prometheus import Prometheus

FAILED, INVALID_ARGUMENT, NOT_FOUND = 1, 11, 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train__learning_rat": 1}, ["train.learning_rat", "learning_rate"]),
        ({"train__learning_rate": -1}, ["train.learning_rate", "-1", "above 0"]),
        ({"method": {"type": "lorra"}}, ["method", "lorra", "lora"]),
        ({"resources__ranks": 0}, ["resources.ranks", "0", "at least 1"]),
    ],
    ids=["unknown key", "wrong value", "unknown method", "no rank"],
)
def test_a_refused_spec(lab, service, change, words):
    done = service.pmt("submit", lab.spec("refused", **change))
    assert done.code == INVALID_ARGUMENT, done
    sentence = done.err.splitlines()[-1]  # behind what was sent
    assert all(word in sentence for word in words), sentence


def failure(service, spec, *args):
    """(code, sentence) that `pmt show` gives for a job that must fail."""
    job = submit(service, spec, *args)
    watched = service.pmt("watch", job)
    assert watched.code == FAILED, watched
    shown = show(service, job)
    assert shown["state"] == "JOB_STATE_FAILED" and shown["attempt"] == 1
    sentence = shown["reason"]
    assert sentence and "\n" not in sentence
    assert sentence in service.pmt("show", job).out
    assert sentence in watched.out + watched.err
    return shown["failure_code"], sentence


def test_a_missing_model(lab, service):
    spec = lab.spec("no-model", model="/nowhere/model")
    refused = service.pmt("submit", spec)
    assert refused.code == NOT_FOUND, refused
    assert "model: /nowhere/model is not on this host; allowed: " in refused.err
    code, sentence = failure(service, spec, "--no-upload")
    assert code == "NOT_FOUND" and "/nowhere/model" in sentence


def test_a_truncated_safetensors_file(lab, service):
    model = lab.folder / "truncated"
    shutil.copytree(lab.model, model)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    code, sentence = failure(service, lab.spec("truncated", model=str(model)))
    assert code == "DATA_LOSS" and str(weights) in sentence


def test_a_loss_that_is_not_a_number(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()  # unlike that of `service` it keeps a job's series for minutes
    with Prometheus(cluster, tmp_path) as prometheus:
        code, sentence = failure(cluster, lab.spec("nan", method="lora", train__learning_rate=1e30))
        assert code == "FAILED_PRECONDITION"
        assert "at step" in sentence and "lower train.learning_rate" in sentence
        not_finite = lambda: prometheus.alerts("PrefixmemLossNotFinite")  # noqa: E731
        ((state, labels),) = eventually(not_finite, 30, "the alert fires")
        assert (state, labels["name"]) == ("firing", "nan")


def prompts(lab, name, rows):
    """(spec, what its rows' file is called)"""
    file = tiny.write_rows(lab.folder / f"{name}.jsonl", rows)
    return lab.spec(
        name,
        data={"train": str(file), "format": "prompt_completion"},
        eval=None,
    ), file.name


def test_no_label_token(lab, service):
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": ""}]
    spec, data = prompts(lab, "no-label", rows)
    code, sentence = failure(service, spec)
    assert code == "INVALID_ARGUMENT"
    assert sentence.startswith(f"{data} line 2 has no label token: its completion is empty")


def test_a_completion_that_does_not_fit(lab, service):
    spec, data = prompts(lab, "too-long", [{"prompt": "a", "completion": "b" * 200}])
    code, sentence = failure(service, spec)
    assert code == "INVALID_ARGUMENT"
    assert sentence.startswith(f"{data} line 1 holds a completion that does not fit")
    assert f"at most {tiny.POSITIONS}" in sentence
