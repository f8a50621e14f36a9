"""Logits equal those of transformers in fp32, up to 1e-5 of the largest one."""

import measured
import programs
import pytest
import reference
import tiny_models
import torch

VARIANTS = {
    "sharded": lambda name, folder: tiny_models.write(name, folder, max_shard_size="100KB"),
    "bf16": lambda name, folder: tiny_models.write(name, folder, torch.bfloat16),
    "older config": tiny_models.write_older,
}


def compare(name, folder, rows, attention, first=0):
    answer = programs.ask(folder, rows, logits=first)
    expected = reference.logits(reference.load(folder, attention), rows, first)
    for i, theirs in enumerate(expected):
        measured.hold_logits(name, "base", answer[f"logits.{i}"], theirs)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_ragged_batch(model, attention):
    compare(model.name, model.folder, model.token_rows([1, 23, 2, 57]), attention)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_row_longer_than_the_window(model, attention):
    rows = model.token_rows([model.long_row])
    compare(model.name, model.folder, rows, attention, model.first_of_long)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", tiny_models.FAMILIES)
def test_other_files_of_the_same_model(name, variant, tmp_path, model_named):
    folder = VARIANTS[variant](name, tmp_path / "model")
    rows = model_named(name).token_rows([5, 60])
    compare(name, folder, rows, "sdpa")
    if variant != "bf16":
        ours, plain = (
            programs.ask(at, rows, logits=0) for at in (folder, model_named(name).folder)
        )
        assert all(torch.equal(ours[key], plain[key]) for key in plain)
    if variant == "sharded":
        assert len(list(folder.glob("model-*.safetensors"))) > 1


def test_greedy_continuation(model):
    count = 16
    prompts = [ids[:prompt] for ids, prompt in list(model.rows())[:2]]
    answer = programs.ask(model.folder, prompts, greedy=count)
    base = [model.folder, "sdpa"]
    for i, ids in enumerate(prompts):
        theirs = reference.continuation(reference.load, base, ids, count)
        assert answer[f"greedy.{i}"].tolist() == theirs
