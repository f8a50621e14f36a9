"""Adapter folders with random values, written as the trainer writes them."""

import json

import torch
from safetensors.torch import save_file

FAMILY_HEADS, HIDDEN = 4, 32


def head_dim(model):
    return model.model.layers[0].self_attn.head_dim


def values(model, settings, scale=0.3):
    """{key: tensor} of a random adapter."""
    mlp = settings.get("feature_map") == "mlp"
    hidden = settings.get("scope") == "hidden"
    size = HIDDEN if hidden else head_dim(model)
    features = settings.get("feature_dim") or size
    heads = () if hidden else (FAMILY_HEADS,)
    owner = "" if hidden else "self_attn."
    shapes = {"M": (*heads, features, size)}
    if mlp:
        shapes |= {"W": (*heads, features, size), "b": (*heads, features)}
    generator = torch.Generator().manual_seed(11)
    layers = settings.get("layers", range(len(model.model.layers)))
    return {
        f"model.layers.{i}.{owner}prefix_memory.{name}": scale
        * torch.randn(shape, generator=generator)
        for i in layers
        for name, shape in shapes.items()
    }


def write(folder, tensors, settings=None):
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {"method": "prefix_memory", "base_model_name_or_path": "tiny", **(settings or {})}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def write_random(folder, model, settings=None, scale=0.3):
    return write(folder, values(model, settings or {}, scale), settings)
