"""prefixmem.verify tells an adapter that is applied from one that is not."""

import hashlib
import json

import families
import folders
import prefixmem
import pytest
import test_peft_folders
import torch
from prefixmem import Verdict

SEQUENCES = [[5, 9, 33], [7, 7, 50, 51, 52], [3]]
TOP = 6


def last_logits(model, sequence):
    return families.logits(model, torch.tensor([sequence]))[0, -1].float()


def stored(base, adapted):
    top = sorted(set(base.topk(TOP).indices.tolist()) | set(adapted.topk(TOP).indices.tolist()))
    return {"top_ids": top, "base": base[top].tolist(), "adapted": adapted[top].tolist()}


def digest_input(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    places = [folder / part for part in config.get("parts", ["."])]
    return b"".join((place / "adapter_model.safetensors").read_bytes() for place in places)


def write_probe(folder, model, dtype="fp32", **changes):
    """From the untouched model; the adapter of the folder is on it only meanwhile."""
    base = [last_logits(model, s) for s in SEQUENCES]
    adapted_model = prefixmem.apply(model, folder)
    adapted = [last_logits(adapted_model, s) for s in SEQUENCES]
    prefixmem.remove(adapted_model)
    weights = digest_input(folder)
    probe = {
        "version": 1,
        "base_model": "tiny",
        "dtype": dtype,
        "adapter_digest": hashlib.sha256(weights).hexdigest(),
        "sequences": [{"ids": ids, **stored(b, a)} for ids, b, a in zip(SEQUENCES, base, adapted)],
        **changes,
    }
    (folder / "golden_probe.json").write_text(json.dumps(probe))
    return probe


@pytest.fixture(params=families.FAMILIES)
def model(request):
    return families.make(request.param)


def test_applied_or_not(model, folder):
    write_probe(folders.write_random(folder, model), model)
    model.train()
    found = prefixmem.verify(model, folder)
    assert model.training
    assert found.verdict is Verdict.NOT_APPLIED and found.to_base < 1e-4 < found.to_adapted
    assert "is not applied" in found.sentence
    prefixmem.apply(model, folder)
    found = prefixmem.verify(model, folder)
    assert found.verdict is Verdict.APPLIED and found.to_adapted < 1e-4 < found.to_base
    assert found.apart == pytest.approx(found.to_base, rel=1e-3)
    with prefixmem.disable(model):
        assert prefixmem.verify(model, folder).verdict is Verdict.NOT_APPLIED


def test_a_bf16_model_against_an_fp32_probe(model, folder):
    write_probe(folders.write_random(folder, model), model)
    model.to(torch.bfloat16)
    assert prefixmem.verify(model, folder).verdict is Verdict.NOT_APPLIED
    prefixmem.apply(model, folder)
    assert prefixmem.verify(model, folder).verdict is Verdict.APPLIED


@pytest.mark.parametrize(("dtype", "scale"), (("fp32", 1e-5), ("bf16", 1e-3)))
def test_an_adapter_that_does_nothing_yet(folder, dtype, scale):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model, scale=scale), model, dtype)
    for _ in range(2):
        found = prefixmem.verify(model, folder)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "no more than rounding" in found.sentence
        prefixmem.apply(model, folder)
        prefixmem.remove(model)


def test_a_combined_folder(folder):
    """One probe beside its config; the digest runs over the parts' weights."""
    model = families.make("qwen2")
    test_peft_folders.write_combined(folder, ("lora", "prefix_memory"))
    write_probe(folder, model)
    assert prefixmem.verify(model, folder).verdict is Verdict.NOT_APPLIED
    model = prefixmem.apply(model, folder)
    assert prefixmem.verify(model, folder).verdict is Verdict.APPLIED
    folders.write_random(folder / "prefix_memory", families.make("qwen2"), scale=0.31)
    with pytest.raises(ValueError, match="were changed after"):
        prefixmem.verify(model, folder)


def test_another_base_model(folder):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model, scale=0.05), model)
    other = families.make("llama")
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(parameter.flip(0))
    for candidate in (other, prefixmem.apply(other, folder)):
        found = prefixmem.verify(candidate, folder)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "another base model than tiny" in found.sentence


def test_a_broken_model(folder):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model), model)
    model.lm_head.weight.data.fill_(float("nan"))
    found = prefixmem.verify(model, folder)
    assert found.verdict is Verdict.INCONCLUSIVE and "not finite" in found.sentence


def test_a_changed_file(folder):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model), model)
    folders.write_random(folder, model, scale=0.31)
    with pytest.raises(ValueError, match=r"were changed after .*: their sha256 is [0-9a-f]{64}"):
        prefixmem.verify(model, folder)


def test_no_weights(folder):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model), model)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ValueError, match="holds no weights"):
        prefixmem.verify(model, folder)


GOOD = {"ids": [4], "top_ids": [1, 2], "base": [0.0, 1], "adapted": [1.0, 2.0]}
BAD_PROBES = {
    "version": ({"version": 2}, '"version" is 2; allowed: 1'),
    "dtype": ({"dtype": "int8"}, "'int8'; allowed: fp32, bf16"),
    "no digest": ({"adapter_digest": None}, 'no usable "adapter_digest"'),
    "no sequence": ({"sequences": []}, 'no usable "sequences"'),
    "no ids": ({"sequences": [GOOD | {"ids": []}]}, 'no usable "ids"'),
    "text": ({"sequences": [GOOD | {"base": ["a", "b"]}]}, 'no usable "base"'),
    "not a map": ({"sequences": [3]}, 'no usable "ids"'),
    "lengths": ({"sequences": [GOOD | {"top_ids": [1]}]}, "do not go together"),
    "negative": ({"sequences": [GOOD | {"ids": [-1]}]}, "do not go together"),
    "vocabulary": ({"sequences": [GOOD | {"ids": [96]}]}, "token 96; the model has 96"),
}


@pytest.mark.parametrize(("change", "words"), BAD_PROBES.values(), ids=BAD_PROBES)
def test_bad_probes(folder, change, words):
    model = families.make("llama")
    write_probe(folders.write_random(folder, model), model, **change)
    with pytest.raises(ValueError, match=words):
        prefixmem.verify(model, folder)


def test_no_probe(folder):
    model = families.make("llama")
    folders.write_random(folder, model)
    with pytest.raises(ValueError, match=r"golden_probe.json cannot be read: No such file"):
        prefixmem.verify(model, folder)
    (folder / "golden_probe.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        prefixmem.verify(model, folder)
