"""PrefixMemory in every setting against the same in Python on transformers in fp64.

Every adapter here begins with random values that this test writes, as after some training.
"""

import json

import comparing
import programs
import pytest
import reference
import torch
import transformers
from safetensors.torch import save_file

SETTINGS = {
    "elu": {},
    "elu_plus_one": {"feature_map": "elu_plus_one"},
    "gelu": {"feature_map": "gelu"},
    "mlp": {"feature_map": "mlp", "feature_dim": 12},
    "pre_rope": {"query": "pre_rope"},
    "mlp, pre_rope": {"feature_map": "mlp", "query": "pre_rope"},
    "two layers": {"layers": ["0", "2"]},
    "hidden": {"scope": "hidden"},
    "hidden gelu, one layer": {"scope": "hidden", "feature_map": "gelu", "layers": ["1"]},
    "hidden mlp": {"scope": "hidden", "feature_map": "mlp", "feature_dim": 24},
}
MODELS = ["llama-grouped", "qwen2", "gemma3_text"]
RATE = 3e-3
RATIO = 0.5  # of the rates of phi's own weights
# Each setting trains on one model.
TRAINED = [(MODELS[i % len(MODELS)], setting) for i, setting in enumerate(SETTINGS)]


def write_adapter(folder, model, setting):
    """A folder of random values."""
    config = transformers.AutoConfig.from_pretrained(model.folder)
    hidden = setting.get("scope") == "hidden"
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = config.hidden_size if hidden else head_dim
    rows = setting.get("feature_dim", width)
    heads = [] if hidden else [config.num_attention_heads]
    layers = [int(layer) for layer in setting.get("layers", range(config.num_hidden_layers))]
    generator = torch.Generator().manual_seed(4)

    def random(*shape):
        return 0.1 * torch.randn(*heads, *shape, generator=generator)

    values = {}
    for layer in layers:
        name = f"model.layers.{layer}.{'' if hidden else 'self_attn.'}prefix_memory."
        values[name + "M"] = random(rows, width)
        if setting.get("feature_map") == "mlp":
            values |= {name + "W": 3 * random(rows, width), name + "b": random(rows)}
    folder.mkdir()
    save_file(values, folder / "adapter_model.safetensors")
    stored = {"feature_map": "elu", "query": "post_rope", "scope": "head", **setting}
    stored |= {"method": "prefix_memory", "feature_dim": rows, "layers": layers}
    (folder / "adapter_config.json").write_text(json.dumps(stored))
    return folder


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", MODELS)
def test_logits_and_gradients(name, setting, model_named, tmp_path):
    model = model_named(name)
    adapter = write_adapter(tmp_path / "adapter", model, SETTINGS[setting])
    theirs = reference.with_memory(model.folder, adapter).double()
    comparing.hold_folder(model, "prefix_memory", adapter, theirs)


@pytest.mark.parametrize(("name", "setting"), TRAINED)
def test_ten_steps_from_a_folder(name, setting, model_named, tmp_path):
    model = model_named(name)
    adapter = write_adapter(tmp_path / "adapter", model, SETTINGS[setting])
    method = {"type": "prefix_memory", "init": str(adapter), **SETTINGS[setting]}
    if "mlp" in setting:
        method["feature_lr_ratio"] = RATIO
    ours = programs.train(
        model.folder,
        model.texts,
        method,
        tmp_path / "run",
        max_steps=comparing.STEPS,
        learning_rate=RATE,
    )
    theirs = reference.with_memory(model.folder, adapter).double()
    ratios = {"W": RATIO, "b": RATIO}
    comparing.hold_steps(model, "prefix_memory", ours, theirs, RATE, ratios=ratios)


def test_greedy_continuation(model_named, tmp_path):
    """Through our cache and through that of transformers."""
    model = model_named("gemma3_text")
    adapter = write_adapter(tmp_path / "adapter", model, SETTINGS["mlp"])
    [ids] = model.token_rows([9])
    answer = programs.ask(model.folder, [ids], adapter=adapter, greedy=12)
    theirs = reference.continuation(reference.with_memory, [model.folder, adapter], ids, 12)
    assert answer["greedy.0"].tolist() == theirs
