"""A LoRA merged by pmt-adapter export against the same unmerged under PEFT."""

import measured
import programs
import pytest
import reference
import test_lora

VARIANTS = ["lora", "dora", "lora with all biases", "dora of some layers"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_merged_model_gives_the_logits_of_the_adapter(variant, model_named, tmp_path):
    """On qwen2 some linear maps have a bias in the base and others have none."""
    model = model_named("qwen2")
    start = test_lora.write_with_peft(model, variant, tmp_path / "start")
    test_lora.train(model, variant, start, tmp_path / "run")
    adapter, merged = tmp_path / "run" / "adapter", tmp_path / "merged"
    programs.run("pmt-adapter", "export", adapter, "--out", merged)

    rows = model.token_rows([1, 7, 60])
    theirs = list(reference.logits(reference.load(merged).double(), rows))
    unmerged = reference.logits(reference.with_lora(model.folder, adapter).double(), rows)
    for ours, expected in zip(theirs, unmerged, strict=True):
        assert reference.difference(ours, expected) <= measured.BAR
    base = next(reference.logits(reference.load(model.folder).double(), rows[-1:]))
    assert reference.difference(theirs[-1], base) > 1e-2, "there was nothing to merge"
