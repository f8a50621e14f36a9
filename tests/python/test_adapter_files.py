"""What does not fit is refused in one sentence, and the model stays as it was."""

import json

import families
import folders
import prefixmem
import pytest
import torch

KEY = "model.layers.1.self_attn.prefix_memory.M"
ids = families.rows()


@pytest.fixture
def model():
    return families.make("llama")


def refused(model, folder, *words):
    """The sentence, after a look at the model."""
    base = families.logits(model, ids)
    names = {n for n, _ in model.named_parameters()}
    with pytest.raises(ValueError) as caught:
        prefixmem.apply(model, folder, trainable=True)
    sentence = str(caught.value)
    assert all(str(word) in sentence for word in words), sentence
    assert "\n" not in sentence
    assert torch.equal(families.logits(model, ids), base)
    assert {n for n, p in model.named_parameters() if p.requires_grad} == names
    return sentence


BAD_CONFIGS = {
    "feature_map": ({"feature_map": "relu"}, '"relu"', "elu, elu_plus_one, gelu, mlp"),
    "query": ({"query": "rope"}, '"rope"', "post_rope, pre_rope"),
    "scope": ({"scope": "layer"}, '"layer"', "head, hidden"),
    "method": ({"method": "ia3"}, "ia3", "prefix_memory, lora, prefix_tuning"),
    "no method": ({"method": None}, "None", "prefix_memory"),
    "unknown key": ({"rank": 8}, '"rank"', "no key"),
    "feature_dim": ({"feature_dim": 5}, '"feature_dim" is 5', "0 or 8"),
    "negative": ({"feature_dim": -1}, "-1", "at least 0"),
    "not a number": ({"feature_dim": True}, "true", "whole number"),
    "layer beyond": ({"layers": [0, 3]}, "has 3", "0 to 2"),
    "layer twice": ({"layers": [1, 1]}, "[1, 1]", "different layer numbers"),
    "layer text": ({"layers": "all"}, '"all"', "a list"),
    "no layer": ({"layers": []}, "[]", "a list"),
    "base model": ({"base_model_name_or_path": 3}, "base_model_name_or_path", "text"),
    "other shape": ({"feature_map": "mlp", "feature_dim": 5}, "[4, 8, 8]", "[4, 5, 8]"),
    "no weights": ({"feature_map": "mlp"}, "no tensor", ".W"),
    "other scope": ({"scope": "hidden"}, "no tensor", "model.layers.0.prefix_memory.M"),
    "fewer layers": ({"layers": [0, 1]}, "model.layers.2.self_attn", "no place"),
}


@pytest.mark.parametrize(
    ("change", "words"), [(c, w) for c, *w in BAD_CONFIGS.values()], ids=BAD_CONFIGS
)
def test_configs(model, folder, change, words):
    folders.write_random(folder, model)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    refused(model, folder, folder, *words)


BAD_TENSORS = {
    "missing": (lambda t: t.pop(KEY), "no tensor", KEY),
    "other shape": (lambda t: t.update({KEY: t[KEY][:, :, :4]}), "[4, 8, 4]", "[4, 8, 8]"),
    "too many": (lambda t: t.update({KEY[:-1] + "W": t[KEY]}), KEY[:-1] + "W", "no place"),
    "integers": (lambda t: t.update({KEY: t[KEY].int()}), KEY, "floating-point"),
}


@pytest.mark.parametrize(
    ("change", "words"), [(c, w) for c, *w in BAD_TENSORS.values()], ids=BAD_TENSORS
)
def test_tensors(model, folder, change, words):
    tensors = folders.values(model, {})
    change(tensors)
    tensors = {key: tensor.clone().contiguous() for key, tensor in tensors.items()}
    refused(model, folders.write(folder, tensors), "adapter_model.safetensors", *words)


def test_damaged_and_missing_files(model, folder):
    refused(model, folder / "none", "adapter_config.json", "No such file")
    folders.write_random(folder, model)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    refused(model, folder, weights, "damaged")
    weights.unlink()
    refused(model, folder, weights, "cannot be read")
    for text, word in (("{", "no JSON"), ("[]", "no JSON object")):
        (folder / "adapter_config.json").write_text(text)
        refused(model, folder, "adapter_config.json", word)


def test_older_files_mean_the_defaults(model, folder):
    """The first trainers wrote no feature_dim, scope or layers."""
    folders.write_random(folder, model, {"feature_map": "elu", "query": "post_rope"})
    prefixmem.apply(model, folder)
    older = families.logits(model, ids)
    prefixmem.remove(model)
    every = {"feature_dim": 8, "scope": "head", "layers": [2, 0, 1]}
    prefixmem.apply(model, folders.write(folder, folders.values(model, {}), every))
    assert torch.equal(families.logits(model, ids), older)


def test_other_families(folder):
    folders.write_random(folder, families.make("llama"))
    model = families.make("llama")
    model.config.model_type = "mamba"
    refused(model, folder, "mamba", "llama, qwen2, qwen3, mistral, gemma3_text")
    with pytest.raises(ValueError, match="the model is Linear; allowed: llama"):
        prefixmem.apply(torch.nn.Linear(2, 2), folder)


def test_twice(model, folder):
    prefixmem.apply(model, folders.write_random(folder, model))
    with pytest.raises(ValueError, match="has a prefix_memory adapter already"):
        prefixmem.apply(model, folder)


def test_nothing_to_save(model, tmp_path):
    with pytest.raises(ValueError, match="no adapter to save"):
        prefixmem.save(model, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_the_saved_config(model, folder, tmp_path):
    settings = {"feature_map": "mlp", "feature_dim": 5, "layers": [2]}
    prefixmem.apply(model, folders.write_random(folder, model, settings))
    prefixmem.save(model, tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "adapter_config.json").read_text()) == {
        "method": "prefix_memory",
        "base_model_name_or_path": "tiny",
        "query": "post_rope",
        "scope": "head",
        **settings,
    }
