"""apply, save, remove and disable: the same four for every kind of adapter folder."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any, TypeVar

from torch import nn

from prefixmem.adapters import peft_adapters, prefix_memory
from prefixmem.adapters.config import CONFIG_FILE, METHOD
from prefixmem.adapters.error import AdapterError
from prefixmem.adapters.files import write_json
from prefixmem.adapters.model import base_of, is_peft, memories_of
from prefixmem.adapters.parts import COMBINED, parts_of

FROZEN = "_prefixmem_frozen"  # attribute of the base model: parameters that apply() has frozen
Model = TypeVar("Model", bound=nn.Module)
Folder = str | os.PathLike[str]


def apply(model: nn.Module, adapter_dir: Folder, *, trainable: bool = False) -> Any:
    """Puts the adapter of a folder on a transformers model and returns the model.

    prefix_memory: `model` itself, with the adapter's tensors as parameters. lora, prefix_tuning: a
    PeftModel around it. combined: each part, in the folder's order, prefix_tuning last. With
    `trainable` the adapter's parameters are the only ones that require gradients; without it none
    of them does. AdapterError (a ValueError) where something does not fit; the model is then as it
    was.
    """
    parts = sorted(parts_of(pathlib.Path(adapter_dir)), key=lambda p: p.kind == "prefix_tuning")
    kinds = [part.kind for part in parts]
    _check_free(model, kinds)
    frozen = _freeze(model) if trainable else []
    adapted, done = model, []
    try:
        for part in parts:
            if part.kind == METHOD:
                prefix_memory.put_on(adapted, part.folder, trainable)
            else:
                adapted = peft_adapters.put_on(adapted, part.folder, trainable)
            done.append(part.kind)
    except BaseException:
        _undo(adapted, done)
        _thaw(frozen)
        raise
    if trainable:
        _thaw_memories(adapted)
    setattr(base_of(adapted), FROZEN, frozen)
    return adapted


def save(model: nn.Module, adapter_dir: Folder) -> None:
    """Writes what is on the model, as the trainer writes it; several adapters: a folder each."""
    folder = pathlib.Path(adapter_dir)
    on = _on(model)
    if not on:
        raise AdapterError("the model has no adapter to save")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in on:
        place = folder if len(on) == 1 else folder / kind
        if kind == METHOD:
            prefix_memory.write(model, place)
        else:
            peft_adapters.write(model, kind, place)
    if len(on) > 1:
        write_json(folder / CONFIG_FILE, {"method": COMBINED, "parts": on})


def remove(model: nn.Module) -> Any:
    """Takes every adapter off and returns the base model, whose bits are those from before."""
    base = base_of(model)
    if any(memories_of(base)):
        prefix_memory.take_off(base)
    peft_adapters.take_off(model)
    _thaw(base.__dict__.pop(FROZEN, []))
    return base


@contextlib.contextmanager
def disable(model: Model) -> Iterator[Model]:
    """Inside, the model computes what its base does, for every thread that uses it."""
    memories = [memory for _, _, memory in memories_of(model)]
    before = [memory.enabled for memory in memories]
    with contextlib.ExitStack() as stack:
        for wrapper in peft_adapters.wrappers(model):
            stack.enter_context(wrapper.disable_adapter())
        try:
            for memory in memories:
                memory.enabled = False
            yield model
        finally:
            for memory, enabled in zip(memories, before):
                memory.enabled = enabled


def _on(model: nn.Module) -> list[str]:
    """The kinds of adapters on a model."""
    memory = [METHOD] if any(memories_of(model)) else []
    return (
        memory + [peft_adapters.kind_of(wrapper) for wrapper in peft_adapters.wrappers(model)][::-1]
    )


def _undo(model: nn.Module, kinds: list[str]) -> None:
    if METHOD in kinds:
        prefix_memory.take_off(model)
    if set(kinds) - {METHOD}:
        peft_adapters.take_off(model)


def _check_free(model: nn.Module, kinds: list[str]) -> None:
    if METHOD in kinds and any(memories_of(model)):
        raise AdapterError(f"the model has a {METHOD} adapter already; prefixmem.remove first")
    if is_peft(model) and kinds != [METHOD]:
        kind = peft_adapters.kind_of(model)
        raise AdapterError(f"the model has a {kind} adapter already; prefixmem.remove first")


def _freeze(model: nn.Module) -> list[nn.Parameter]:
    frozen = [p for p in model.parameters() if p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    return frozen


def _thaw(parameters: list[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.requires_grad_(True)


def _thaw_memories(model: nn.Module) -> None:
    """PEFT freezes what it does not know."""
    for _, _, memory in memories_of(model):
        memory.requires_grad_(True)
