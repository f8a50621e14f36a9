"""What a spec becomes on its way: the same YAML, with absolute paths."""

import pathlib

import pytest
import yaml
from prefixmem.client import InvalidArgument
from prefixmem.client.submission import absolute, text_of

FOLDER = pathlib.Path("/f")


def resolved(text):
    return yaml.safe_load(absolute(text, FOLDER))


def test_paths_alone_are_changed():
    text = (
        "model: ../m  # a comment\n"
        "name: train.jsonl\n"
        "data:\n"
        "  train: 'a b.jsonl'\n"
        "  eval: /abs/x.jsonl\n"
        "  template: |\n"
        "    {text}\n"
        "train: {learning_rate: 1e-3}\n"
    )
    assert absolute(text, FOLDER) == (
        'model: "/m"  # a comment\n'
        "name: train.jsonl\n"
        "data:\n"
        '  train: "/f/a b.jsonl"\n'
        '  eval: "/abs/x.jsonl"\n'
        "  template: |\n"
        "    {text}\n"
        "train: {learning_rate: 1e-3}\n"
    )


def test_empty_paths_stay_empty():
    text = "model: ''\ndata: {train: , eval: ~}\n"
    assert absolute(text, FOLDER) == text


def test_the_file_of_other_held_out_rows():
    found = resolved("eval: {mode: loss, data: {eval: e}}")
    assert found == {"eval": {"mode": "loss", "data": {"eval": "/f/e"}}}


def test_paths_of_a_sweep():
    found = resolved(
        """
        sweep:
          grid:
            model: [m1, /m2]
            data.train: [a]
            data: [{train: b, eval: c}]
            train.seed: [1, 2]
          trials:
            - {model: m3, data.eval: d, name: e}
            - {data: {train: g}}
        """
    )
    assert found["sweep"] == {
        "grid": {
            "model": ["/f/m1", "/m2"],
            "data.train": ["/f/a"],
            "data": [{"train": "/f/b", "eval": "/f/c"}],
            "train.seed": [1, 2],
        },
        "trials": [
            {"model": "/f/m3", "data.eval": "/f/d", "name": "e"},
            {"data": {"train": "/f/g"}},
        ],
    }


def test_paths_of_a_search():
    found = resolved(
        """
        sweep:
          space:
            model: [m1, /m2]
            data: {type: choice, values: [{train: b}]}
            train.seed: {type: int, low: 1, high: 2, when: {model: [m1]}}
        """
    )
    assert found["sweep"]["space"] == {
        "model": ["/f/m1", "/m2"],
        "data": {"type": "choice", "values": [{"train": "/f/b"}]},
        "train.seed": {"type": "int", "low": 1, "high": 2, "when": {"model": ["/f/m1"]}},
    }


def test_the_adapter_that_a_method_starts_from():
    lora = "{type: lora, init: a}"
    expected = {"type": "lora", "init": "/f/a"}
    assert resolved(f"method: {lora}") == {"method": expected}
    assert resolved(f"method: [prefix_memory, {lora}]") == {"method": ["prefix_memory", expected]}
    combined = resolved(f"method: {{type: combined, methods: [{lora}]}}")
    assert combined["method"]["methods"] == [expected]
    assert resolved(f"sweep: {{grid: {{method: [{lora}, none]}}}}") == {
        "sweep": {"grid": {"method": [expected, "none"]}}
    }


def test_a_file_a_text_and_a_mapping(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "job.yaml"
    file.write_text("model: m\n")
    beside, here = str(tmp_path / "in" / "m"), str(tmp_path / "m")
    assert yaml.safe_load(text_of(file)) == {"model": beside}
    assert yaml.safe_load(text_of("in/job.yaml")) == {"model": beside}
    assert yaml.safe_load(text_of("model: m")) == {"model": here}
    spec = {"model": pathlib.Path("m"), "labels": {"no": "on"}, "train": {"max_steps": None}}
    assert yaml.safe_load(text_of(spec)) == {**spec, "model": here}


def test_what_is_no_spec_is_left_to_the_coordinator():
    for text in ("", "- a", "just text", "model: [m]", "{? {a: b} : c}"):
        assert absolute(text, FOLDER) == text


def test_what_cannot_be_sent():
    with pytest.raises(InvalidArgument, match=r"the spec is no YAML: .*line 1, column"):
        text_of("{")
    with pytest.raises(InvalidArgument, match=r"cannot be written as JSON: .*is of type set"):
        text_of({"labels": {1, 2}})
    with pytest.raises(InvalidArgument, match="cannot be written as JSON"):
        text_of({"train": {"learning_rate": float("nan")}})
