"""Puts a memory on a layer so that its term is added in every forward pass, and takes it off.

head scope: the attention function adds the term before o_proj (attention.py). With `pre_rope` a
hook has kept the query as it was before rotary embedding. hidden scope: a hook on the attention
block adds the term to what the block returns.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import nn

from prefixmem.adapters.attention import use_companion
from prefixmem.adapters.config import METHOD, PrefixMemoryConfig
from prefixmem.adapters.memory import PrefixMemory

# Families whose q_norm sees [B, heads, T, head_dim]; elsewhere it is [B, T, heads, head_dim].
NORM_AFTER_TRANSPOSE = ("gemma3_text",)


def install(layer: nn.Module, memory: PrefixMemory, config: PrefixMemoryConfig) -> None:
    attention = layer.self_attn
    owner = attention if config.scope == "head" else layer
    setattr(owner, METHOD, memory)
    memory.hooks = _hooks_for(config, attention, memory)


def uninstall(owner: nn.Module, memory: PrefixMemory) -> None:
    memory.hooks.remove()
    delattr(owner, METHOD)


def query_term(attention: nn.Module, query: torch.Tensor) -> torch.Tensor | None:
    """What the attention function is to add for this module."""
    memory = getattr(attention, METHOD, None)
    if memory is None:
        return None
    query = memory.hooks.query(query)
    return memory(query) if memory.enabled else None


def _hooks_for(config: PrefixMemoryConfig, attention: nn.Module, memory: PrefixMemory) -> Any:
    if config.scope == "hidden":
        return HiddenHooks(attention, memory)
    return PreRopeHooks(attention) if config.query == "pre_rope" else PostRopeHooks(attention)


class PostRopeHooks:
    """Follows a model whose attention implementation is changed later."""

    def __init__(self, attention: nn.Module):
        use_companion(attention.config, query_term)
        self._before = attention.register_forward_pre_hook(self._follow)

    def _follow(self, attention: nn.Module, _: tuple[Any, ...]) -> None:
        use_companion(attention.config, query_term)

    def query(self, rotated: torch.Tensor) -> torch.Tensor:
        return rotated

    def remove(self) -> None:
        self._before.remove()


class PreRopeHooks(PostRopeHooks):
    """Keeps what q_norm (q_proj where there is none) returned until the attention function asks."""

    def __init__(self, attention: nn.Module):
        super().__init__(attention)
        self._heads_first = attention.config.model_type in NORM_AFTER_TRANSPOSE
        self._kept: dict[int, torch.Tensor] = {}  # by thread, for the length of one attention
        self._source: nn.Module | None = None
        self._after: Any = None
        self._follow(attention, ())

    def _follow(self, attention: nn.Module, args: tuple[Any, ...]) -> None:
        """A wrapper that has taken the source's place (PEFT's LoRA) is hooked instead of it."""
        super()._follow(attention, args)
        source = getattr(attention, "q_norm", attention.q_proj)
        if source is not self._source:
            if self._after:
                self._after.remove()
            self._source = source
            self._after = source.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _args: tuple[Any, ...], output: torch.Tensor) -> None:
        self._kept[threading.get_ident()] = output

    def query(self, rotated: torch.Tensor) -> torch.Tensor:
        """As [B, heads, T, head_dim], whichever of its layouts the family uses there."""
        kept = self._kept.pop(threading.get_ident())
        if self._heads_first:
            return kept
        batch, heads, length, head_dim = rotated.shape
        return kept.reshape(batch, length, heads, head_dim).transpose(1, 2)

    def remove(self) -> None:
        super().remove()
        self._after.remove()


class HiddenHooks:
    """Adds M^T phi(x), x the normed hidden state that enters q, k and v, after o_proj."""

    def __init__(self, attention: nn.Module, memory: PrefixMemory):
        self._memory = memory
        self._after = attention.register_forward_hook(self._add, with_kwargs=True)

    def _add(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        if not self._memory.enabled:
            return output
        hidden = args[0] if args else kwargs["hidden_states"]
        return (output[0] + self._memory(hidden), *output[1:])

    def remove(self) -> None:
        self._after.remove()
