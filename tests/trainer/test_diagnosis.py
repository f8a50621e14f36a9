"""pmt-adapter diagnose: on what a job leaves, and what it refuses."""

import json

import pytest
from conftest import CONFIG, write_model
from test_proof import METHODS, tool

TERMS = {
    "prefix_memory": ["memory"],
    "prefix_tuning": ["prefix"],
    "lora": [],
    "dora": [],
    "full": [],
    "combined": ["memory"],
}


@pytest.mark.parametrize("method", METHODS)
def test_what_a_job_leaves(method, workspace):
    name = f"diagnosis-{method}"
    folder = workspace.train(name, method=METHODS[method]) / "adapter"
    said = tool("diagnose", folder, "--spec", workspace.folder / f"{name}.yaml", "--rows", 3)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert (found["rows"], len(found["layers"])) == (3, CONFIG["num_hidden_layers"])
    assert found["prefix_length"] == (4 if method == "prefix_tuning" else 0)
    for layer in found["layers"]:
        assert [term["term"] for term in layer["terms"]] == TERMS[method]
        assert layer["output_change"] > 1e-3
        for term in layer["terms"]:
            assert all(1 <= head["effective_rank"] <= CONFIG["head_dim"] for head in term["heads"])
    assert all(head["map_change"] > 0 for head in found["layers"][1]["heads"])


@pytest.mark.parametrize("method", ["prefix_memory", "prefix_tuning", "lora", "combined"])
def test_a_job_keeps_the_same(method, workspace):
    """From the model that it has trained, as the tool finds by the files that it leaves."""
    name = f"kept-{method}"
    folder = workspace.train(name, 2, method=METHODS[method], eval__diagnosis_rows=3) / "adapter"
    said = tool("diagnose", folder, "--spec", workspace.folder / f"{name}.yaml", "--rows", 3)
    kept, found = json.loads((folder / "diagnosis.json").read_text()), json.loads(said.stdout)
    assert leaves(kept) == pytest.approx(leaves(found), rel=1e-4, abs=1e-7)
    assert [kept[key] for key in ("method", "rows")] == [found["method"], 3]


def leaves(node):
    """Every number, by its place."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return {"": node} if isinstance(node, int | float) else {}
    return {f"{key}.{path}": x for key, value in node.items() for path, x in leaves(value).items()}


def test_nobody_diagnoses_what_did_not_ask(workspace):
    folder = workspace.train("unasked") / "adapter"
    assert not (folder / "diagnosis.json").exists()
    whole = workspace.train("whole", method=METHODS["full"], eval__diagnosis_rows=3) / "adapter"
    assert not (whole / "diagnosis.json").exists()


def test_training_rows_where_there_are_no_others(workspace):
    spec = {"data__eval": None, "eval": None}
    folder = workspace.train("no-eval", **spec) / "adapter"
    said = tool("diagnose", folder, "--spec", workspace.folder / "no-eval.yaml")
    assert json.loads(said.stdout)["rows"] == 8


def refusal(folder, *arguments):
    said = tool("diagnose", folder, *arguments)
    assert said.returncode not in (0, 1)
    assert said.stdout == ""
    [sentence] = said.stderr.splitlines()
    return sentence


def test_refusals(workspace):
    folder = workspace.train("refusals", method=METHODS["prefix_tuning"]) / "adapter"
    assert "allowed: --spec with the job spec" in refusal(folder)
    text = "x" * 125  # <s> and the prefix of 4 are two too many for 128
    assert "126 tokens; allowed: 1 to 124" in refusal(folder, "--text", text)
    assert "gone.yaml" in refusal(folder, "--spec", workspace.folder / "gone.yaml")
    assert "golden_probe.json" in refusal(workspace.folder / "gone", "--text", "x")


def test_a_base_of_another_shape(workspace):
    folder = workspace.train("shape", method=METHODS["full"]) / "adapter"
    deeper = workspace.folder / "deeper"
    write_model(deeper, CONFIG | {"num_hidden_layers": 3})
    sentence = refusal(folder, "--model", deeper, "--text", "x")
    assert "has 2 layers of 4 heads of 8, its base 3 layers of 4 heads of 8" in sentence
