"""A PrefixMemory adapter on a model: put on, written to a folder, taken off."""

from __future__ import annotations

import pathlib

from torch import nn

from prefixmem.adapters import files
from prefixmem.adapters.attention import use_plain
from prefixmem.adapters.config import CONFIG_FILE, PrefixMemoryConfig, parse, read_json
from prefixmem.adapters.hooks import install, uninstall
from prefixmem.adapters.memory import PrefixMemory
from prefixmem.adapters.model import base_of, layers_of, memories_of, sizes_of


def put_on(model: nn.Module, folder: pathlib.Path, trainable: bool) -> None:
    """Reads and checks everything before it touches the model, which must have no memory yet."""
    layers = layers_of(model)
    config = parse(read_json(folder), folder / CONFIG_FILE)
    values = files.read_values(folder, config, sizes_of(model))
    for i, of_layer in values.items():
        device = layers[i].self_attn.q_proj.weight.device
        if device.type != "meta":  # offloaded: the operands meet where the query is
            of_layer = {name: value.to(device) for name, value in of_layer.items()}
        memory = PrefixMemory(config.feature_map, of_layer).requires_grad_(trainable)
        memory.config = config
        memory.train(model.training)
        install(layers[i], memory, config)


def write(model: nn.Module, folder: pathlib.Path) -> None:
    found = list(memories_of(model))
    config: PrefixMemoryConfig = found[0][2].config
    values = {i: dict(memory.named_parameters()) for i, _, memory in found}
    files.write(folder, config, values)


def take_off(model: nn.Module) -> None:
    for _, owner, memory in list(memories_of(model)):
        uninstall(owner, memory)
    use_plain(base_of(model).config)
