"""Full fine-tuning over ranks: what each of them holds, and checkpoints that any number reads."""

import re

import pytest
from conftest import losses, metrics
from safetensors.torch import load_file

CHANGES = {"method": {"type": "full"}, "train__learning_rate": 2e-3}
BYTES = {"fp32": 12, "bf16": 16}  # a value: gradient, two moments, and in bf16 the fp32 value


def parameters_of(model):
    return sum(tensor.numel() for tensor in load_file(model / "model.safetensors").values())


@pytest.mark.parametrize("dtype", BYTES)
def test_state_of_a_rank_falls_with_the_ranks(workspace, dtype):
    count = parameters_of(workspace.model)
    for ranks in (1, 2, 4):
        spec = workspace.spec("memory", **CHANGES, train__dtype=dtype, train__max_steps=1)
        said = workspace.run(spec, workspace.folder / f"out-{dtype}-{ranks}", ranks)
        (held,) = re.findall(r"each rank holds (\d+) bytes of gradients and optimizer state", said)
        assert int(held) == -(-count // ranks) * BYTES[dtype]


def test_goes_on_with_another_number_of_ranks(workspace):
    changes = {**CHANGES, "train__checkpoint_every": 4}
    whole = workspace.train("whole", ranks=2, **changes)
    out = workspace.train("resized", ranks=2, **changes)
    max((out / "checkpoints").iterdir()).unlink()
    said = workspace.run(workspace.spec("resized", **changes), out, 3, extra=["--resume"])
    assert "resuming on another kind of machine" in said and "3 ranks now" in said
    assert "resuming after step 4" in said
    assert [step["step"] for step in metrics(out)] == list(range(1, 9))
    assert losses(out)[:4] == losses(whole)[:4]
    assert losses(out) == pytest.approx(losses(whole), abs=1e-5)


def test_the_base_is_never_written_to(workspace):
    before = (workspace.model / "model.safetensors").read_bytes()
    workspace.train("full", **CHANGES)
    assert (workspace.model / "model.safetensors").read_bytes() == before


def test_what_was_trained_is_a_model_to_start_from(workspace):
    out = workspace.train("first", **CHANGES, train__max_steps=30, train__schedule="constant")
    again = workspace.train("third", **CHANGES, model=str(out / "adapter"), train__warmup_steps=0)
    assert losses(again)[0] < 0.7 * losses(out)[0]


@pytest.mark.parametrize("output", ["all", "adapter", "none"])
def test_leaves_what_it_is_asked_for(workspace, output):
    out = workspace.train(output, **CHANGES, train__output=output)
    assert any((out / "checkpoints").iterdir()) == (output == "all")
    assert (out / "adapter").exists() == (output != "none")
    assert (out / "result.json").exists() and losses(out)


def test_a_gguf_file_is_refused(workspace):
    base = workspace.model / "base.gguf"
    base.write_bytes(b"GGUF")
    spec = workspace.spec("file", **CHANGES, model=str(base))
    said = workspace.run(spec, workspace.folder / "out-file", ranks=2, code=11)
    assert f"method full cannot start from the GGUF file {base}" in said
