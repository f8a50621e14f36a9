"""Prefix-Tuning against PEFT in fp64, both ways: PEFT loads ours, we load PEFT's."""

import comparing
import peft
import programs
import pytest
import reference
import tiny_models
import torch
from safetensors.torch import load_file

MODELS = [*tiny_models.FAMILIES]
TOKENS = 20  # more than the windows of some, which then lose the prefix as any other tokens


def write_with_peft(model, folder):
    """A random prefix, as PEFT begins and writes it."""
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=TOKENS)
    torch.manual_seed(3)
    peft.get_peft_model(reference.load(model.folder), config).save_pretrained(folder)
    return folder


def train(model, folder, steps=comparing.STEPS, **method):
    method = {"type": "prefix_tuning", "num_virtual_tokens": TOKENS, **method}
    settings = {"warmup_steps": 1} if steps == 1 else {}  # the one step is at rate 0
    settings |= {"max_steps": steps, "learning_rate": model.rate}
    return programs.train(model.folder, model.texts, method, folder, **settings)


def hold_logits(model, adapter, theirs):
    rows = model.token_rows([1, 7, 60])
    answer = programs.ask(model.folder, rows, adapter=adapter, logits=0)
    comparing.hold_logits(model, "prefix_tuning", answer, theirs, rows)


@pytest.mark.parametrize("name", MODELS)
def test_a_prefix_of_peft(name, model_named, tmp_path):
    model = model_named(name)
    start = write_with_peft(model, tmp_path / "start")
    theirs = reference.with_prefix(model.folder, start).double()
    key = "prompt_encoder.embedding.weight"
    ours = {key: "prompt_embeddings"}
    comparing.hold_folder(model, "prefix_tuning", start, theirs, ours.__getitem__)

    steps = train(model, tmp_path / "run", init=str(start))
    theirs = reference.with_prefix(model.folder, start).double()
    comparing.hold_steps(model, "prefix_tuning", steps, theirs, model.rate)
    ours, theirs = tmp_path / "run" / "adapter", theirs.float()
    values = load_file(ours / "adapter_model.safetensors")["prompt_embeddings"]
    assert torch.allclose(values, reference.trained(theirs)[key], atol=1e-3)
    hold_logits(model, ours, reference.with_prefix(model.folder, ours).double())


@pytest.mark.parametrize("name", ["llama-grouped", "gemma3_text"])
def test_a_projection(name, model_named, tmp_path):
    """Our checkpoint holds the projection; the adapter's folder what comes out of it, as PEFT's."""
    model = model_named(name)
    method = {"prefix_projection": True, "encoder_hidden_size": 48}
    train(model, tmp_path / "start", steps=1, **method)
    ours = train(model, tmp_path / "run", **method)
    config = peft.PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=TOKENS,
        prefix_projection=True,
        encoder_hidden_size=48,
    )
    theirs = peft.get_peft_model(reference.load(model.folder, "sdpa"), config)
    [checkpoint] = (tmp_path / "start" / "checkpoints").glob("*.safetensors")
    values = load_file(checkpoint)
    with torch.no_grad():
        for key, parameter in reference.trained(theirs).items():
            parameter.copy_(values[f"adapter.{key}"].view_as(parameter))
    theirs = theirs.eval().double()

    folder = tmp_path / "start" / "adapter"
    hold_logits(model, folder, theirs)
    hold_logits(model, folder, reference.with_prefix(model.folder, folder).double())
    comparing.hold_steps(model, "prefix_tuning", ours, theirs, model.rate)


def test_a_projection_that_peft_flattened(model_named, tmp_path):
    model = model_named("llama-grouped")
    config = peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=TOKENS, prefix_projection=True
    )
    torch.manual_seed(3)
    theirs = peft.get_peft_model(reference.load(model.folder), config).eval()
    theirs.save_pretrained(tmp_path)
    hold_logits(model, tmp_path, theirs)


@pytest.mark.parametrize("name", ["llama-grouped", "gemma3_text"])
def test_greedy_continuation(name, model_named, tmp_path):
    """Ours through the cache, PEFT's by the whole row each time."""
    model = model_named(name)
    start = write_with_peft(model, tmp_path / "start")
    theirs = reference.with_prefix(model.folder, start)
    [ids] = model.token_rows([9])
    answer = programs.ask(model.folder, [ids], adapter=start, greedy=12)
    row = list(ids)
    for _ in range(12):
        row.append(next(reference.logits(theirs, [row]))[-1].argmax().item())
    assert answer["greedy.0"].tolist() == row[len(ids) :]
