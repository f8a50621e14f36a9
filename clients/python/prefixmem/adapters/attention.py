"""Attention functions that add a module's prefix memory, in transformers' registry.

Every implementation NAME has a companion "prefix_memory|NAME": it runs NAME and, where the
attention module that calls it has a memory, adds the memory's term to the output. A model uses it
when its config names it, as it would any other.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from prefixmem.adapters.error import AdapterError

PREFIX = "prefix_memory|"
Term = Callable[[nn.Module, torch.Tensor], torch.Tensor | None]


def use_companion(config: Any, term: Term) -> None:
    """Makes the config name the companion of the implementation that it names; idempotent.

    term(module, query) is what to add, or None; query [B, heads, T, head_dim] after rotary
    embedding, before the scale; its result [B, heads, T, head_dim].
    """
    name = config._attn_implementation or "eager"
    if name.startswith(PREFIX):
        return
    AttentionInterface.register(PREFIX + name, functools.partial(_attend, name, term))
    if name in ALL_MASK_ATTENTION_FUNCTIONS:
        AttentionMaskInterface.register(PREFIX + name, ALL_MASK_ATTENTION_FUNCTIONS[name])
    config._attn_implementation = PREFIX + name


def use_plain(config: Any) -> None:
    """The inverse of use_companion."""
    name = config._attn_implementation or ""
    if name.startswith(PREFIX):
        config._attn_implementation = name.removeprefix(PREFIX)


def _attend(
    name: str, term: Term, module: nn.Module, query: torch.Tensor, *args: Any, **options: Any
) -> tuple[torch.Tensor, Any]:
    attend = _eager_of(module) if name == "eager" else ALL_ATTENTION_FUNCTIONS[name]
    seen = module if name in ("eager", "sdpa") else _as_if(module, name)
    output, *rest = attend(seen, query, *args, **options)
    added = term(module, query)
    if added is not None:
        output = output + added.transpose(1, 2).reshape(output.shape)
    return (output, *rest)


def _eager_of(module: nn.Module) -> Callable[..., Any]:
    """Each family has its own, beside its attention class."""
    for cls in type(module).__mro__:
        if eager := getattr(sys.modules.get(cls.__module__), "eager_attention_forward", None):
            return eager
    raise AdapterError(f"{type(module).__name__} has no eager attention beside it")


class _Overlay:
    """Another object, some of whose attributes read differently."""

    def __init__(self, target: Any, **attributes: Any):
        self.__dict__.update(attributes, _target=target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def _as_if(module: nn.Module, name: str) -> Any:
    """The module as one whose config names the plain implementation: some look it up there."""
    return _Overlay(module, config=_Overlay(module.config, _attn_implementation=name))
