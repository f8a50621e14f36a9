"""Is an adapter really applied? An exported folder's golden probe tells.

The probe holds token sequences with the largest last-token logits that the trainer computed with
the adapter and without it. The model at hand computes them again: nearer to one or to the other?
"""

from __future__ import annotations

import enum
import hashlib
import math
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prefixmem.adapters.config import CONFIG_FILE, parse_file
from prefixmem.adapters.error import AdapterError
from prefixmem.adapters.parts import parts_of

PROBE_FILE = "golden_probe.json"
VERSION = 1
# What rounding may do, relative to the norm of the logits: less is no difference.
TOLERANCE = {"fp32": 1e-3, "bf16": 1e-2}


class Verdict(enum.StrEnum):
    APPLIED = "APPLIED"
    NOT_APPLIED = "NOT_APPLIED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Verification:
    """Distances are Euclidean, over the stored logits of all sequences."""

    verdict: Verdict
    to_adapted: float  # from this model to the trainer's adapted model
    to_base: float  # from this model to the trainer's base
    apart: float  # between those two
    sentence: str


@dataclass(frozen=True)
class _Sequence:
    ids: list[int]
    top_ids: list[int]
    base: torch.Tensor  # [len(top_ids)]
    adapted: torch.Tensor


def verify(model: nn.Module, adapter_dir: str | os.PathLike[str]) -> Verification:
    """Compares the model, as it is now, with the golden probe of a folder.

    The folder: an adapter's, or the model that full fine-tuning or `pmt export` wrote.
    AdapterError where there is no probe, it is damaged, or the weights are not those of its making.
    """
    folder = pathlib.Path(adapter_dir)
    probe = _read(folder / PROBE_FILE)
    _check_digest(folder, probe)
    sequences = [_sequence(folder / PROBE_FILE, entry) for entry in probe["sequences"]]
    here = torch.cat(list(_logits(model, sequences)))
    base = torch.cat([s.base for s in sequences])
    adapted = torch.cat([s.adapted for s in sequences])
    narrow = "bf16" in (probe["dtype"], _dtype(model))
    noise = TOLERANCE["bf16" if narrow else "fp32"] * adapted.norm().item()
    return _judge(_norm(here - adapted), _norm(here - base), _norm(adapted - base), noise, probe)


def _judge(
    to_adapted: float, to_base: float, apart: float, noise: float, probe: dict[str, Any]
) -> Verification:
    if not (math.isfinite(to_adapted) and math.isfinite(to_base)):
        verdict, sentence = Verdict.INCONCLUSIVE, "the model's logits are not finite"
    elif apart < noise:
        verdict = Verdict.INCONCLUSIVE
        sentence = "base and adapted model differ by no more than rounding on the probe's sequences"
    elif min(to_adapted, to_base) > apart:
        verdict = Verdict.INCONCLUSIVE
        sentence = (
            "the model is farther from the probe's base and adapted model than they are from each "
            f"other: is it another base model than {probe['base_model'] or 'the one trained'}?"
        )
    elif to_adapted < to_base:
        verdict, sentence = Verdict.APPLIED, "the adapter is applied"
    else:
        verdict, sentence = (
            Verdict.NOT_APPLIED,
            "the adapter is not applied: this is the base model",
        )
    figures = f"distance {to_adapted:.3g} to the adapted model, {to_base:.3g} to the base"
    return Verification(verdict, to_adapted, to_base, apart, f"{sentence} ({figures})")


def _norm(difference: torch.Tensor) -> float:
    return difference.norm().item()


@torch.no_grad()
def _logits(model: nn.Module, sequences: list[_Sequence]) -> Iterator[torch.Tensor]:
    """Of each sequence's last token, at its top_ids; in double precision on the CPU."""
    embedding = model.get_input_embeddings().weight
    largest = max(max(sequence.ids + sequence.top_ids) for sequence in sequences)
    if largest >= len(embedding):
        raise AdapterError(f"the probe has token {largest}; the model has {len(embedding)} tokens")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for sequence in sequences:
            ids = torch.tensor([sequence.ids], device=embedding.device)
            yield model(input_ids=ids).logits[0, -1, sequence.top_ids].double().cpu()
    finally:
        for module, training in modes:
            module.training = training


def _dtype(model: nn.Module) -> str:
    narrow = model.get_input_embeddings().weight.dtype in (torch.bfloat16, torch.float16)
    return "bf16" if narrow else "fp32"


def _read(file: pathlib.Path) -> dict[str, Any]:
    probe = parse_file(file)
    if not isinstance(probe, dict) or probe.get("version") != VERSION:
        version = probe.get("version") if isinstance(probe, dict) else None
        raise AdapterError(f'{file}: "version" is {version!r}; allowed: {VERSION}')
    kinds = {"base_model": str, "dtype": str, "adapter_digest": str, "sequences": list}
    for key, kind in kinds.items():
        if not isinstance(probe.get(key), kind) or (kind is list and not probe[key]):
            raise AdapterError(f'{file} has no usable "{key}"')
    if probe["dtype"] not in TOLERANCE:
        raise AdapterError(
            f'{file}: "dtype" is {probe["dtype"]!r}; allowed: {", ".join(TOLERANCE)}'
        )
    return probe


def _check_digest(folder: pathlib.Path, probe: dict[str, Any]) -> None:
    """Of every *.safetensors, by name; of several parts', as adapter_config.json names them."""
    digest = hashlib.sha256()
    files = [file for part in _weight_folders(folder) for file in _weight_files(part)]
    if not files:
        raise AdapterError(f"{folder} holds no weights (*.safetensors)")
    for file in files:
        try:
            with file.open("rb") as content:
                hashlib.file_digest(content, lambda: digest)
        except OSError as error:
            raise AdapterError(f"{file} cannot be read: {error.strerror}") from error
    if digest.hexdigest() != probe["adapter_digest"]:
        raise AdapterError(
            f"the weights in {folder} were changed after their golden probe was made: their sha256 "
            f"is {digest.hexdigest()}, the probe's {probe['adapter_digest']}"
        )


def _weight_folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """Of an adapter its parts, of a model (full, or merged by pmt export) the folder itself."""
    if not (folder / CONFIG_FILE).exists():
        return [folder]
    return [part.folder for part in parts_of(folder)]


def _weight_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(file for file in folder.iterdir() if file.suffix == ".safetensors")


def _sequence(file: pathlib.Path, entry: Any) -> _Sequence:
    def numbers(key: str, kind: type | tuple[type, ...]) -> list[Any]:
        values = entry.get(key) if isinstance(entry, dict) else None
        good = isinstance(values, list) and values
        if not good or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
            raise AdapterError(f'{file}: a sequence has no usable "{key}"')
        return values

    ids, top_ids = numbers("ids", int), numbers("top_ids", int)
    base, adapted = (torch.tensor(numbers(k, (int, float))).double() for k in ("base", "adapted"))
    if not len(top_ids) == len(base) == len(adapted) or min(ids + top_ids) < 0:
        raise AdapterError(f"{file}: a sequence's top_ids, base and adapted do not go together")
    return _Sequence(ids, top_ids, base, adapted)
