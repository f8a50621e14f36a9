"""Preference tuning with pmt-trainer: where it begins, that it learns, on any number of ranks."""

import json
import math

import pytest
from conftest import losses

PAIRS = [
    {"prompt": f"{question}? ", "chosen": answer, "rejected": other}
    for question, answer, other in [
        ("where is my card", "on its way", "no idea"),
        ("card lost", "we block it", "bad luck"),
        ("top up failed", "try again", "so what"),
        ("exchange rate", "see the list", "guess"),
        ("my pin is blocked", "three days", "ha"),
        ("a fee", "ask us", "pay"),
        ("how long", "a week", "ages"),
    ]
]
METHODS = {
    "prefix_memory": {"type": "prefix_memory"},
    "lora": {"type": "lora", "r": 4},
    "full": {"type": "full"},
}


def settings(workspace, method, objective="dpo", mode="preference"):
    file = workspace.folder / "pairs.jsonl"
    workspace.write_rows(file, PAIRS)
    return {
        "method": METHODS[method],
        "objective": {"type": objective},
        "data": {"train": str(file), "eval": str(file), "format": "preference"},
        "train__global_batch_size": 4,
        "train__learning_rate": 1e-3 if method == "full" else 0.02,
        "train__schedule": "constant",
        "train__warmup_steps": 0,
        "train__max_steps": 30,
        "eval": {"mode": mode, "before": True},
    }


@pytest.mark.parametrize("method", METHODS)
def test_dpo_begins_at_its_reference_and_learns(method, workspace):
    out = workspace.train(f"dpo-{method}", **settings(workspace, method))
    found = losses(out)
    assert found[0] == pytest.approx(math.log(2), abs=1e-6)
    assert sum(found[-5:]) < 0.8 * sum(found[:5])
    before, after = json.loads((out / "result.json").read_text())["evals"]
    assert before["metric"] == after["metric"] == "preference_accuracy"
    assert after["value"] > before["value"]
    assert after["rows"] == len(PAIRS)


@pytest.mark.parametrize("method", METHODS)
def test_ranks_and_micro_batches_change_nothing(method, workspace):
    given = settings(workspace, method, mode="loss") | {"train__max_steps": 6}
    alone = losses(workspace.train(f"alone-{method}", **given))
    cut = given | {"train__micro_batch_tokens": 1}
    assert losses(workspace.train(f"cut-{method}", **cut)) == pytest.approx(alone, rel=1e-5)
    assert losses(workspace.train(f"two-{method}", 2, **given)) == pytest.approx(alone, rel=1e-5)


def test_simpo_has_no_reference_and_learns(workspace):
    given = settings(workspace, "prefix_memory", "simpo", mode="loss")
    out = workspace.train("simpo", **given)
    found = losses(out)
    assert sum(found[-5:]) < 0.8 * sum(found[:5])
    before, after = json.loads((out / "result.json").read_text())["evals"]
    assert (before["metric"], after["value"] < before["value"]) == ("loss", True)
