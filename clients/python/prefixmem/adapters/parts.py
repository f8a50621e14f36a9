"""What an adapter folder holds: one adapter, or several in a subfolder each."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

from prefixmem.adapters.config import CONFIG_FILE, METHOD, read_json
from prefixmem.adapters.error import AdapterError

COMBINED = "combined"
PEFT_KINDS = ("lora", "prefix_tuning")


@dataclass(frozen=True)
class Part:
    kind: str  # prefix_memory, lora or prefix_tuning
    folder: pathlib.Path


def parts_of(folder: pathlib.Path) -> list[Part]:
    """In the order in which adapter_config.json names them."""
    config = read_json(folder)
    file = folder / CONFIG_FILE
    if config.get("method") != COMBINED:
        return [Part(_kind(config, file), folder)]
    names = config.get("parts")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise AdapterError(f'{file}: "parts" is {names!r}; allowed: a list of names')
    if len(set(names)) != len(names):
        raise AdapterError(f'{file}: "parts" is {names!r}, which has one twice')
    return [_part(folder / name, name) for name in names]


def _part(folder: pathlib.Path, name: str) -> Part:
    kind = _kind(read_json(folder), folder / CONFIG_FILE)
    if kind != name:
        raise AdapterError(f"{folder} holds a {kind} adapter; allowed: {name}")
    return Part(kind, folder)


def _kind(config: dict[str, Any], file: pathlib.Path) -> str:
    named = config.get("method", config.get("peft_type"))
    kind = named.lower() if isinstance(named, str) else named
    allowed = (METHOD, *PEFT_KINDS)
    if kind not in allowed:
        raise AdapterError(f"{file}: the method is {named!r}; allowed: {', '.join(allowed)}")
    return kind
