"""adapter_config.json of a PrefixMemory adapter."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any

from prefixmem.adapters.error import AdapterError

METHOD = "prefix_memory"
FEATURE_MAPS = ("elu", "elu_plus_one", "gelu", "mlp")
QUERIES = ("post_rope", "pre_rope")
SCOPES = ("head", "hidden")
CONFIG_FILE = "adapter_config.json"


@dataclass(frozen=True)
class PrefixMemoryConfig:
    """What adapter_config.json says; its defaults are what a file without the key means."""

    base_model: str = ""
    feature_map: str = "elu"
    feature_dim: int = 0  # rows of M; 0: the size of phi's input
    query: str = "post_rope"
    scope: str = "head"
    layers: tuple[int, ...] | None = None  # None: every layer

    @property
    def has_map_weights(self) -> bool:
        return self.feature_map == "mlp"

    def to_json(self, layers: tuple[int, ...], feature_dim: int) -> dict[str, Any]:
        """For a file: the layers and the size of phi's output written out."""
        return {
            "method": METHOD,
            "base_model_name_or_path": self.base_model,
            "feature_map": self.feature_map,
            "feature_dim": feature_dim,
            "query": self.query,
            "scope": self.scope,
            "layers": list(layers),
        }


def parse_file(file: pathlib.Path) -> Any:
    """What a JSON file holds."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AdapterError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise AdapterError(f"{file} is no JSON: {error}") from error


def read_json(folder: pathlib.Path) -> dict[str, Any]:
    """The folder's adapter_config.json, which must be an object."""
    config = parse_file(folder / CONFIG_FILE)
    if not isinstance(config, dict):
        raise AdapterError(f"{folder / CONFIG_FILE} holds no JSON object")
    return config


def parse(config: dict[str, Any], file: pathlib.Path) -> PrefixMemoryConfig:
    """Checks every key; AdapterError names the file, the key, its value and what is allowed."""
    fields = _Fields(config, file)
    fields.choice("method" if "method" in config else "peft_type", (METHOD,), None)
    parsed = PrefixMemoryConfig(
        base_model=fields.text("base_model_name_or_path"),
        feature_map=fields.choice("feature_map", FEATURE_MAPS, "elu"),
        feature_dim=fields.count("feature_dim"),
        query=fields.choice("query", QUERIES, "post_rope"),
        scope=fields.choice("scope", SCOPES, "head"),
        layers=fields.layers("layers"),
    )
    fields.check_no_others()
    return parsed


class _Fields:
    """Takes the keys of one object, each at most once."""

    def __init__(self, config: dict[str, Any], file: pathlib.Path):
        self._left = dict(config)
        self._file = file

    def _refuse(self, key: str, value: Any, allowed: str) -> AdapterError:
        return AdapterError(f'{self._file}: "{key}" is {json.dumps(value)}; allowed: {allowed}')

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None) -> str:
        value = self._left.pop(key, default)
        if not isinstance(value, str) or value not in allowed:
            raise self._refuse(key, value, ", ".join(allowed))
        return value

    def text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise self._refuse(key, value, "text")
        return value or ""

    def count(self, key: str) -> int:
        value = self._left.pop(key, 0)
        if type(value) is not int or value < 0:
            raise self._refuse(key, value, "a whole number of at least 0")
        return value

    def layers(self, key: str) -> tuple[int, ...] | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        numbers = isinstance(value, list) and all(type(v) is int and v >= 0 for v in value)
        if not numbers or not value or len(set(value)) != len(value):
            raise self._refuse(key, value, "a list of different layer numbers from 0")
        return tuple(sorted(value))

    def check_no_others(self) -> None:
        if self._left:
            names = ", ".join(f'"{key}"' for key in self._left)
            raise AdapterError(f"{self._file}: {names} is no key of a {METHOD} adapter")
