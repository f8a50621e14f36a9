"""The two files of a PrefixMemory adapter."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from prefixmem.adapters.config import CONFIG_FILE, PrefixMemoryConfig
from prefixmem.adapters.error import AdapterError
from prefixmem.adapters.model import Sizes, key_of

WEIGHTS_FILE = "adapter_model.safetensors"
Values = dict[int, dict[str, torch.Tensor]]  # by layer and name: M, W, b


def chosen_layers(config: PrefixMemoryConfig, sizes: Sizes, where: object) -> tuple[int, ...]:
    if config.layers is None:
        return tuple(range(sizes.layers))
    if config.layers[-1] >= sizes.layers:
        last = sizes.layers - 1
        raise AdapterError(f'{where}: "layers" has {config.layers[-1]}; allowed: 0 to {last}')
    return config.layers


def shapes(config: PrefixMemoryConfig, sizes: Sizes, where: object) -> dict[str, tuple[int, ...]]:
    """Of each tensor of a layer."""
    heads = (sizes.heads,) if config.scope == "head" else ()
    size = sizes.head_dim if config.scope == "head" else sizes.hidden
    features = config.feature_dim or size
    if features != size and not config.has_map_weights:
        raise AdapterError(
            f'{where}: "feature_dim" is {features}; allowed for {config.feature_map} on this '
            f"model: 0 or {size}"
        )
    found = {"M": (*heads, features, size)}
    if config.has_map_weights:
        found |= {"W": (*heads, features, size), "b": (*heads, features)}
    return found


def read_values(folder: pathlib.Path, config: PrefixMemoryConfig, sizes: Sizes) -> Values:
    """Every tensor in fp32; AdapterError where one is missing, of another shape, or too many."""
    file = folder / WEIGHTS_FILE
    where = folder / CONFIG_FILE
    left = _load(file)
    values: Values = {}
    for layer in chosen_layers(config, sizes, where):
        values[layer] = {}
        for name, shape in shapes(config, sizes, where).items():
            key = key_of(config.scope, layer, name)
            values[layer][name] = _checked(file, key, left.pop(key, None), shape)
    if left:
        raise AdapterError(f"{file} has {sorted(left)[0]}, which has no place in this model")
    return values


def write(folder: pathlib.Path, config: PrefixMemoryConfig, values: Values) -> None:
    """As the trainer writes them; each file is there whole or not at all."""
    tensors = {
        key_of(config.scope, layer, name): value.detach().float().cpu().contiguous()
        for layer, of_layer in values.items()
        for name, value in of_layer.items()
    }
    features = next(iter(values.values()))["M"].shape[-2]
    text = config.to_json(tuple(sorted(values)), features)
    write_file(folder / WEIGHTS_FILE, lambda file: save_file(tensors, file, {"format": "pt"}))
    write_json(folder / CONFIG_FILE, text)


def write_json(file: pathlib.Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    write_file(file, lambda path: path.write_text(text, encoding="utf-8"))


def write_file(file: pathlib.Path, fill: Callable[[pathlib.Path], Any]) -> None:
    """fill(path) writes beside it; then it takes its place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".") as folder:
        beside = pathlib.Path(folder) / file.name
        fill(beside)
        os.replace(beside, file)


def _load(file: pathlib.Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(file)
    except OSError as error:
        raise AdapterError(f"{file} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise AdapterError(f"{file} is damaged: {error}") from error


def _checked(
    file: pathlib.Path, key: str, value: torch.Tensor | None, shape: tuple[int, ...]
) -> torch.Tensor:
    if value is None:
        raise AdapterError(f"{file} has no tensor {key}")
    if tuple(value.shape) != shape:
        raise AdapterError(
            f"{file}: {key} has shape {list(value.shape)}; allowed on this model: {list(shape)}"
        )
    if not value.is_floating_point():
        raise AdapterError(f"{file}: {key} holds no floating-point numbers")
    return value.float()
