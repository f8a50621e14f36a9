"""pmt-adapter diagnose against the same numbers from transformers and PEFT in fp64."""

import json

import diagnosis_reference
import memory_reference
import peft
import programs
import pytest
import test_lora
import test_prefix_memory
import test_prefix_tuning
import torch

BAR = 1e-5
MODELS = ["llama-grouped", "qwen2", "gemma3_text"]
MEMORIES = [  # each setting on one model
    ("llama-grouped", "mlp, pre_rope"),
    ("qwen2", "two layers"),
    ("qwen2", "hidden mlp"),
    ("gemma3_text", "elu"),
]
ROWS = [
    "The card that I ordered last week has not arrived yet.\nIntent:",  # longer than any window
    "Where is it?\nIntent:",
    "It'll take 3 days, won't it?\nIntent:",
]


def ours(model, adapter, out):
    texts = [argument for row in ROWS for argument in ("--text", row)]
    arguments = ["diagnose", adapter, "--model", model.folder, "--out", out, *texts]
    programs.run("pmt-adapter", *arguments)
    return json.loads(out.read_text())


def close(ours, theirs):
    """Numbers, by the largest of a list."""
    ours, theirs = torch.as_tensor(ours).double(), torch.as_tensor(theirs).double()
    assert ours.shape == theirs.shape
    scale = max(theirs.abs().max().item(), 1e-3)
    assert (ours - theirs).abs().max().item() <= BAR * scale, (ours, theirs)


def hold(model, adapter, adapted, tmp_path, prefix=0):
    """Our diagnosis against that of the model with the adapter; returns it."""
    answer = ours(model, adapter, tmp_path / "diagnosis.json")
    tokenizer = model.tokenizer()
    rows = [tokenizer(text)["input_ids"] for text in ROWS]
    base = diagnosis_reference.load(model.folder)
    expected = diagnosis_reference.diagnose(base, adapted, rows, prefix)
    counts = (answer["rows"], answer["tokens"], answer["prefix_length"])
    assert counts == (len(rows), sum(map(len, rows)), prefix)
    for layer, theirs in zip(answer["layers"], expected, strict=True):
        heads, their_heads = layer.pop("heads"), theirs.pop("heads")
        terms, their_terms = layer.pop("terms"), theirs.pop("terms")
        assert layer.keys() == theirs.keys()
        for key in theirs:
            close(layer[key], theirs[key])
        for one, other in zip(heads, their_heads, strict=True):
            assert one.keys() == other.keys()
            close(list(one.values()), [other[key] for key in one])
        for one, other in zip(terms, their_terms, strict=True):
            assert one["term"] == other["term"]
            for spectrum, their in zip(one["heads"], other["heads"], strict=True):
                assert spectrum.keys() == their.keys()
                for key in their:
                    close(spectrum[key], their[key])
    return answer


@pytest.mark.parametrize(("name", "setting"), MEMORIES)
def test_a_memory(name, setting, model_named, tmp_path):
    model = model_named(name)
    values = test_prefix_memory.SETTINGS[setting]
    adapter = test_prefix_memory.write_adapter(tmp_path / "adapter", model, values)
    theirs = memory_reference.apply(diagnosis_reference.load(model.folder), adapter).double()
    answer = hold(model, adapter, theirs, tmp_path)
    assert answer["method"] == "prefix_memory"


@pytest.mark.parametrize("name", MODELS)
def test_a_prefix(name, model_named, tmp_path):
    model, count = model_named(name), test_prefix_tuning.TOKENS
    adapter = test_prefix_tuning.write_with_peft(model, tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(diagnosis_reference.load(model.folder), adapter)
    hold(model, adapter, theirs.double(), tmp_path, prefix=count)


def test_an_update(model_named, tmp_path):
    model = model_named("qwen3")
    adapter = test_lora.write_with_peft(model, "lora", tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(diagnosis_reference.load(model.folder), adapter)
    hold(model, adapter, theirs.double(), tmp_path)
