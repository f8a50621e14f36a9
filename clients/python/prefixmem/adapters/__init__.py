"""Adapters on transformers models."""

from prefixmem.adapters.api import apply, disable, remove, save
from prefixmem.adapters.error import AdapterError

__all__ = ["AdapterError", "apply", "disable", "remove", "save"]
