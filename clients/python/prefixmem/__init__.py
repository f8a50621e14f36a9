"""PrefixMemory adapters on transformers models, and a client of the prefixmem service.

model = prefixmem.apply(model, "adapter")      needs torch and transformers
client = prefixmem.Client("127.0.0.1:7070")    does not load them
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefixmem.adapters import AdapterError, apply, disable, remove, save
    from prefixmem.client import Client
    from prefixmem.probe import Verdict, Verification, verify

__version__ = "0.1.0"
__all__ = [
    "AdapterError",
    "Client",
    "Verdict",
    "Verification",
    "apply",
    "disable",
    "remove",
    "save",
    "verify",
]

_HOMES = {
    "Client": "prefixmem.client",
    "Verdict": "prefixmem.probe",
    "Verification": "prefixmem.probe",
    "verify": "prefixmem.probe",
}


def __getattr__(name: str) -> Any:
    """Loads a half of the package when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "prefixmem.adapters")), name)
