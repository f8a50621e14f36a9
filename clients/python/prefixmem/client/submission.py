"""What `Client.submit` sends: the caller's spec as YAML text, its local files as content.

As `pmt submit` does: relative paths in model, data.train, data.validation, data.eval,
eval.data.eval, a method's init and train.continue_from, those in a sweep's values included, are
taken from the spec's folder (a file's own; otherwise the working one); then all but models become
content, once the coordinator has said that it takes the spec. Of a model of the Hub the commit is
sent, so that every worker trains the same. Benchmarks are looked up by
`pmt submit` alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from prefixmem.client import hub
from prefixmem.client.errors import InvalidArgument, NotFound

SPEC_FILES = (".yaml", ".yml", ".json")
PATHS = (
    "model",
    "data.train",
    "data.validation",
    "data.eval",
    "eval.data.eval",
    "method.init",
    "train.continue_from",
)
MODEL = "model"
CONFIG, GGUF = "config.json", ".gguf"
MOST_CONFIGS = 100  # that the coordinator takes
MOST_BYTES_OF_CONFIGS = 2 << 20  # that every coordinator takes in a call
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
FOLDERS = (MODEL, "method.init")  # may be folders
BLOCKS = (
    "data",
    "train",
    "eval",
    "eval.data",
    "method",
    "sweep",
    "sweep.grid",
    "sweep.space",
    "sweep.tune_on",
)
GRIDS = ("sweep.grid.", "sweep.tune_on.")
SCHEME = "://"
SPACE = "sweep.space."


def text_of(spec: Mapping[str, Any] | str | os.PathLike[str]) -> str:
    """Of a mapping, YAML text or a file: a PathLike, or a str that ends in .yaml, .yml or .json."""
    if isinstance(spec, Mapping):
        return absolute(_json(spec), pathlib.Path.cwd())
    if isinstance(spec, os.PathLike) or ("\n" not in spec and spec.endswith(SPEC_FILES)):
        file = pathlib.Path(spec)
        return absolute(file.read_text(encoding="utf-8"), file.absolute().parent)
    return absolute(spec, pathlib.Path.cwd())


def absolute(text: str, folder: pathlib.Path) -> str:
    """The same text, but for its relative paths; what is no spec is left for the coordinator."""
    return replaced(
        text,
        lambda _, path: path if SCHEME in path else os.path.normpath(folder / path),
    )


def named_files(text: str) -> list[str]:
    """Paths of the files to upload; NotFound, InvalidArgument for those that cannot be."""
    found: dict[str, None] = {}

    def look(key: str, path: str) -> str:
        if SCHEME not in path:
            _check(key, path)
            if key != MODEL:
                found[path] = None
        return path

    replaced(text, look)
    return list(found)


def pinned(text: str) -> str:
    """The same text with the commit in the place of each revision of a model of the Hub."""
    known: dict[str, str] = {}

    def pin(key: str, path: str) -> str:
        if key != MODEL or not path.startswith(hub.SCHEME):
            return path
        if path not in known:
            known[path] = hub.pinned(path)
        return known[path]

    return replaced(text, pin)


def model_configs(text: str) -> dict[str, str]:
    """{name: text of its config.json} of models on this host and of the Hub that have one."""
    paths: dict[str, None] = {}
    of_hub: dict[str, None] = {}

    def look(key: str, path: str) -> str:
        if key == MODEL and SCHEME not in path:
            paths[path] = None
        if key == MODEL and path.startswith(hub.SCHEME):
            of_hub[path] = None
        return path

    replaced(text, look)
    found, left = {}, MOST_BYTES_OF_CONFIGS
    for name in list(of_hub)[:MOST_CONFIGS]:
        config = hub.config_of(name)
        if config is not None and len(config.encode()) <= min(hub.MOST_BYTES_OF_A_CONFIG, left):
            found[name] = config
            left -= len(config.encode())
    for path in list(paths)[: MOST_CONFIGS - len(found)]:
        file = pathlib.Path(path, CONFIG)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            size = file.stat().st_size
            if size <= min(hub.MOST_BYTES_OF_A_CONFIG, left):
                found[path] = file.read_text(encoding="utf-8")
                left -= size
    return found


def renamed(text: str, names: Mapping[str, str]) -> str:
    """With names[path] in the place of each path, models excepted."""
    return replaced(text, lambda key, path: path if key == MODEL else names.get(path, path))


def _check(key: str, path: str) -> None:
    if not os.path.exists(path):
        sent = "models://NAME of a model that was sent with `pmt models add`, "
        raise NotFound(
            f"{key}: {path} is not on this host; allowed: a path that is, "
            f"{sent if key == MODEL else ''}"
            "root://NAME/PATH of what the workers have, or any path with upload=False"
        )
    if key not in FOLDERS and os.path.isdir(path):
        raise InvalidArgument(f'{key}: it is "{path}", a folder; allowed: a file')
    if key == MODEL and (lack := _lack_of_model(path)):
        raise InvalidArgument(f"{key}: {lack}")


def _lack_of_model(path: str) -> str:
    """Why a path cannot be a model, by the names of its files; empty: it can."""
    name = os.path.basename(os.path.normpath(path))
    if not os.path.isdir(path):
        is_gguf = name.endswith(GGUF)
        return "" if is_gguf else f"{name} is no model; allowed: a folder or a {GGUF} file"
    files = os.listdir(path)
    has_weights = not set(WEIGHTS).isdisjoint(files)
    if not has_weights and sum(file.endswith(GGUF) for file in files) == 1:
        return ""
    of_folder = f"the folder {name} is no model: it has no"
    if CONFIG not in files:
        return f"{of_folder} {CONFIG}; allowed: a Hugging Face folder"
    return (
        ""
        if has_weights
        else f"{of_folder} weights; allowed: {', '.join(WEIGHTS)} or one {GGUF} file"
    )


def replaced(text: str, new: Callable[[str, str], str]) -> str:
    """With new(key, path) in the place of each path; what is no spec stays as it is."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InvalidArgument(f"the spec is no YAML: {' '.join(str(error).split())}") from error
    found = {n.start_mark.index: (key, n) for key, n in _entries("", root) if n.value}
    for start in sorted(found, reverse=True):
        key, node = found[start]
        path = json.dumps(new(key, node.value), ensure_ascii=False)
        text = text[:start] + path + text[node.end_mark.index :]
    return text


def _json(spec: Mapping[str, Any]) -> str:
    try:
        return json.dumps(spec, ensure_ascii=False, allow_nan=False, default=_known)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"the spec cannot be written as JSON: {error}") from error


def _known(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


def _entries(prefix: str, node: yaml.Node | None) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """The paths in a block, each of whose keys stands for prefix + key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield from _paths(prefix + key.value, value)


def _paths(path: str, node: yaml.Node) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """The paths in the value that stands at a dotted path of the spec."""
    if path in PATHS:
        if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
            yield path, node
    elif path in BLOCKS and isinstance(node, yaml.MappingNode):
        yield from _entries(path + ".", node)
    elif path.startswith(SPACE):
        yield from _domain(path.removeprefix(SPACE), node)
    elif isinstance(node, yaml.SequenceNode):
        yield from _items(path, node)


def _items(path: str, node: yaml.SequenceNode) -> Iterator[tuple[str, yaml.ScalarNode]]:
    for item in node.value:
        if path.startswith(GRIDS):
            yield from _paths(path.split(".", 2)[2], item)
        elif path == "sweep.trials":
            yield from _entries("", item)
        elif path in ("method", "method.methods"):
            yield from _entries("method.", item)


def _domain(path: str, node: yaml.Node) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """A choice of a search: a list, or a map with the list `values`; conditions hold lists too."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _paths(path, item)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value == "values":
            yield from _domain(path, value)
        elif key.value == "when" and isinstance(value, yaml.MappingNode):
            for other, values in value.value:
                yield from _domain(other.value, values)
