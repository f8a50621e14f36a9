"""Where in a transformers model the memories go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from prefixmem.adapters.config import METHOD
from prefixmem.adapters.error import AdapterError
from prefixmem.adapters.memory import PrefixMemory

FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma3_text")


@dataclass(frozen=True)
class Sizes:
    layers: int
    heads: int
    head_dim: int
    hidden: int


def is_peft(model: nn.Module) -> bool:
    """Without importing PEFT: a model of its class exists only where it has been imported."""
    peft = sys.modules.get("peft")
    return peft is not None and isinstance(model, peft.PeftModel)


def base_of(model: nn.Module) -> nn.Module:
    """The transformers model inside any number of PEFT's wrappers."""
    while is_peft(model):
        model = model.get_base_model()
    return model


def layers_of(model: nn.Module) -> nn.ModuleList:
    """The decoder's layers; AdapterError for a model of another family."""
    base = base_of(model)
    family = getattr(getattr(base, "config", None), "model_type", None)
    if family not in FAMILIES:
        named = f"model_type {family}" if family else type(base).__name__
        raise AdapterError(f"the model is {named}; allowed: {', '.join(FAMILIES)}")
    decoder = getattr(base, base.base_model_prefix, base)
    return decoder.layers


def sizes_of(model: nn.Module) -> Sizes:
    layers = layers_of(model)
    config: Any = base_of(model).config
    head_dim = layers[0].self_attn.head_dim
    return Sizes(len(layers), config.num_attention_heads, head_dim, config.hidden_size)


def memories_of(model: nn.Module) -> Iterator[tuple[int, nn.Module, PrefixMemory]]:
    """(layer, the module that holds it, memory) of each memory on the model."""
    for i, layer in enumerate(layers_of(model)):
        for owner in (layer.self_attn, layer):
            if isinstance(memory := getattr(owner, METHOD, None), PrefixMemory):
                yield i, owner, memory


def key_of(scope: str, layer: int, name: str) -> str:
    """Of a tensor in adapter_model.safetensors."""
    owner = "self_attn." if scope == "head" else ""
    return f"model.layers.{layer}.{owner}{METHOD}.{name}"
