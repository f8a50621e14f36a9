"""What transformers, PEFT and the gguf package have computed, kept beside ccache's objects.

It changes with what they are given, with the modules here and with the packages, and not with what
is tested: each answer is kept for a month in a file that is named by a hash of all these.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import tempfile
import time

import torch

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
FOLDER = CACHE / "prefixmem" / "parity"
MONTH = 30 * 24 * 3600  # seconds
OURS = "golden_probe.json"  # of an adapter's folder: none of them reads it


@functools.cache
def digest(path, size, changed):
    if path.name == "adapter_config.json":
        config = json.loads(path.read_text())
        config.pop("base_model_name_or_path", None)  # where the model lies
        return config
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(path):
    """{name: what is in it} of the files of a folder, or of one file."""
    folder = path if path.is_dir() else path.parent
    files = sorted(folder.rglob("*")) if path.is_dir() else [path]
    stats = {f: f.stat() for f in files if f.is_file() and f.name != OURS}
    return {
        str(file.relative_to(folder)): digest(file, stat.st_size, stat.st_mtime_ns)
        for file, stat in stats.items()
    }


def described(value):
    """What of an argument an answer depends on: of a path the content, of a function its name."""
    if isinstance(value, pathlib.Path):
        return content(value)
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    raise TypeError(f"an answer cannot be remembered by {value!r}")


@functools.cache
def surroundings():
    """Every module of this folder, and the packages with what torch computes by here."""
    packages = sorted((d.name, d.version) for d in importlib.metadata.distributions())
    modules = [content(file) for file in sorted(HERE.glob("*.py"))]
    return [modules, packages, torch.__config__.show(), torch.backends.cpu.get_cpu_capability()]


def kept(file):
    """The answer in it; None where there is none that is whole and young."""
    with contextlib.suppress(OSError, ValueError):
        if file.stat().st_mtime > time.time() - MONTH:
            return json.loads(file.read_text())
    return None


def keep(file, answer):
    """Where there is a place for it; what is old goes."""
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        for old in FOLDER.iterdir():
            if old.stat().st_mtime <= time.time() - MONTH:
                old.unlink()
        with tempfile.NamedTemporaryFile("w", dir=FOLDER, delete=False) as new:
            json.dump(answer, new)
        os.replace(new.name, file)


def remembered(function):
    """The function, called once for each arguments: what JSON has, paths and functions."""

    @functools.wraps(function)
    def answer(*arguments, **named):
        asked = [surroundings(), function, arguments, named]
        text = json.dumps(asked, default=described, sort_keys=True)
        file = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
        found = kept(file)
        if found is None:
            found = function(*arguments, **named)
            keep(file, found)
        return found

    return answer
