"""LoRA and Prefix-Tuning folders: PEFT's format, PEFT's code."""

from __future__ import annotations

import importlib
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from prefixmem.adapters.error import AdapterError
from prefixmem.adapters.files import WEIGHTS_FILE
from prefixmem.adapters.model import is_peft, layers_of


def put_on(model: nn.Module, folder: pathlib.Path, trainable: bool) -> nn.Module:
    """AdapterError, and the model as it was, unless every tensor of the folder has its place."""
    layers_of(model)
    names = _tensors(folder / WEIGHTS_FILE)
    try:
        peft = importlib.import_module("peft")
    except ImportError as error:
        raise AdapterError(
            f"{folder} is for PEFT, which is not installed: pip install peft"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # an error below
            wrapper = peft.PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
        known = peft.get_peft_model_state_dict(wrapper, save_embedding_layers=False)
        if odd := sorted(names ^ set(known)):
            lack = "lacks" if odd[0] in known else "has no place in this model for its"
            raise AdapterError(f"{folder} {lack} tensor {odd[0]}")
        return wrapper
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        if not is_peft(model):
            _strip(model)
        if isinstance(error, AdapterError):
            raise
        raise AdapterError(f"{folder} does not fit the model: {_last_line(error)}") from error


def wrappers(model: nn.Module) -> Iterator[Any]:
    """PEFT's wrappers around a model, the outermost first."""
    while is_peft(model):
        yield model
        model = model.get_base_model()


def kind_of(wrapper: Any) -> str:
    return str(wrapper.peft_type.value).lower()


def write(model: nn.Module, kind: str, folder: pathlib.Path) -> None:
    (wrapper,) = (w for w in wrappers(model) if kind_of(w) == kind)
    wrapper.save_pretrained(str(folder))


def take_off(model: nn.Module) -> None:
    """Puts the base model's own modules back where LoRA has replaced them."""
    for wrapper in list(wrappers(model)):
        if not wrapper.active_peft_config.is_prompt_learning:
            wrapper.unload()


def _tensors(file: pathlib.Path) -> set[str]:
    try:
        with safe_open(file, framework="pt") as weights:
            return set(weights.keys())
    except OSError as error:
        raise AdapterError(f"{file} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise AdapterError(f"{file} is damaged: {error}") from error


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else repr(error)


def _strip(model: nn.Module) -> None:
    """Takes LoRA's modules out of a model whose wrapper was not finished."""
    layer = importlib.import_module("peft.tuners.tuners_utils").BaseTunerLayer
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, layer) and not isinstance(parent, layer):
                setattr(parent, name, child.get_base_layer())
