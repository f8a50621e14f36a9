"""Full fine-tuning: every weight trained, against transformers and torch.optim.AdamW in fp64."""

import json

import comparing
import measured
import models
import programs
import pytest
import reference
import tiny_models
import torch
import transformers
from safetensors.torch import load_file

STEPS = 10
RATE = 1e-3


@pytest.fixture(params=[name for name in models.ALL if name != "gemma3-270m"])
def small(request, model_named):
    return model_named(request.param)


def train(model, out, folder=None, **settings):
    settings = {"learning_rate": RATE, "max_steps": STEPS, **settings}
    return programs.train(
        folder or model.folder, model.texts, {"type": "full"}, out / "run", **settings
    )


def in_folder(folder):
    """{tensor's name: tensor} of a folder of one file or of shards"""
    tensors = {}
    for file in folder.glob("*.safetensors"):
        tensors |= load_file(file)
    return tensors


def test_ten_steps(small, tmp_path):
    ours = train(small, tmp_path)
    theirs = reference.steps(reference.whole, [small.folder], list(small.rows()), STEPS, RATE)
    comparing.hold_losses(small, "full", ours, theirs)
    assert ours[-1]["loss"] < 0.95 * ours[0]["loss"], "there was nothing to compare"


def test_clipping_and_decay_of_norms_that_multiply_with_one_more(model_named, tmp_path):
    model = model_named("gemma3_text")  # what decays is w, not the factor 1 + w
    ours = train(model, tmp_path, weight_decay=0.5, max_grad_norm=0.1)
    theirs = reference.whole(model.folder).double()
    rows = list(model.rows())
    steps = reference.train(theirs, rows, STEPS, RATE, clip=0.1, decay=0.5)
    comparing.hold_losses(model, "full", ours, steps)
    saved = in_folder(tmp_path / "run" / "adapter")
    for name, parameter in theirs.named_parameters():
        if "norm" in name:
            torch.testing.assert_close(saved[name].double(), parameter.data, rtol=0, atol=1e-5)


def test_gradients_of_every_weight(model):
    rows = list(model.rows())
    answer = programs.ask(model.folder, rows, full=True, gradient=True)
    theirs = reference.whole(model.folder).double()
    expected = reference.backward(theirs, rows)
    assert answer["loss"].item() == pytest.approx(expected, rel=measured.BAR)
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert {f"gradient.{name}" for name in gradients} == set(answer) - {"loss"}
    ours = [answer[f"gradient.{name}"] for name in gradients]
    measured.hold_gradient(model.name, "full", ours, gradients.values())


@pytest.mark.parametrize("name", ["gemma3-270m"])
def test_steps_of_a_large_model(name, model_named, tmp_path):
    """Three, and in fp32 on their side: weights, gradients and moments in fp64 take 9 GB."""
    model = model_named(name)
    rate, steps = model.rate / 10, 3
    ours = train(model, tmp_path, learning_rate=rate, max_steps=steps)
    theirs = reference.steps(
        reference.whole, [model.folder], list(model.rows()), steps, rate, precise=False
    )
    comparing.hold_losses(model, "full", ours, theirs)
    assert ours[-1]["loss"] < 0.95 * ours[0]["loss"], "there was nothing to compare"
    result, rows = tmp_path / "run" / "adapter", [ids for ids, _ in model.rows()]
    answer = programs.ask(result, rows, logits=0)
    comparing.hold_logits(model, "full", answer, reference.load(result), rows)


def test_the_result_is_a_folder_like_the_base(small, tmp_path):
    """transformers reads it, we read it, and both find what was trained."""
    model = small
    train(model, tmp_path, max_steps=3)
    result = tmp_path / "run" / "adapter"
    before, after = in_folder(model.folder), in_folder(result)
    assert {name: (t.shape, t.dtype) for name, t in before.items()} == {
        name: (t.shape, t.dtype) for name, t in after.items()
    }
    assert not any(before[name].equal(after[name]) for name in before)
    config = json.loads((model.folder / "config.json").read_text())
    assert json.loads((result / "config.json").read_text()) == config

    theirs = reference.whole(model.folder).double()
    for _ in reference.train(theirs, list(model.rows()), 3, RATE):
        pass
    rows = [ids for ids, _ in model.rows()]
    tokenizer = transformers.AutoTokenizer.from_pretrained(result)
    assert [tokenizer(prompt)["input_ids"] for prompt, _ in model.texts] == [
        ids[:prompt] for ids, prompt in model.rows()
    ]
    answer = programs.ask(result, rows, logits=0)
    # One list after the other: two generators under no_grad at once leave gradients switched off.
    found = list(reference.logits(reference.load(result), rows))
    expected = list(reference.logits(theirs, rows))
    for i, (read_logits, logits) in enumerate(zip(found, expected, strict=True)):
        assert reference.difference(read_logits, logits) <= 1e-4, "trained otherwise"
        measured.hold_logits(model.name, "full", answer[f"logits.{i}"], read_logits)


def test_bf16_rounds_the_trained_values_once(model_named, tmp_path):
    """A base of either dtype, begun at its values in bf16, keeps steps that bf16 would lose."""
    wide = model_named("llama").folder
    narrow = tiny_models.write("llama", tmp_path / "narrow", dtype=torch.bfloat16)
    for base, name in ((wide, "wide"), (narrow, "narrow-run")):
        train(model_named("llama"), tmp_path / name, base, dtype="bf16", learning_rate=1e-5)
        before, after = in_folder(base), in_folder(tmp_path / name / "run" / "adapter")
        assert {t.dtype for t in after.values()} == {t.dtype for t in before.values()}
    after = in_folder(tmp_path / "wide" / "run" / "adapter")
    for name, tensor in in_folder(wide).items():
        moved = (after[name] - tensor.bfloat16().float()).abs().max().item()
        assert 5e-6 < moved < 1.1 * STEPS * 1e-5


def test_bf16_stays_close(model_named, tmp_path):
    """Both round as they go, theirs with the weights in fp32 and autocast to bf16."""
    model = model_named("stories260k")
    ours = train(model, tmp_path, dtype="bf16")
    theirs = reference.whole(model.folder)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        losses = [loss for loss, _ in reference.train(theirs, list(model.rows()), STEPS, RATE)]
    found = [step["loss"] for step in ours]
    assert found[0] == pytest.approx(losses[0], rel=1e-2)
    assert found[-1] == pytest.approx(losses[-1], rel=2e-2)
    assert found[-1] < 0.9 * found[0], "there was nothing to compare"
