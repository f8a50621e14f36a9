"""Messages of the API as plain values."""

from __future__ import annotations

import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

_UNION = "type"  # the oneof whose member YAML names with the key of that name


def time_of(message: Any, field: str) -> datetime.datetime | None:
    """In UTC; None where the field is absent."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=datetime.UTC)


def same(cls: type, message: Any, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that a dataclass and a message have under one name."""
    names = [name for name in cls.__dataclass_fields__ if name not in without]
    times = {name for name in names if name.endswith("_time")}
    return {n: time_of(message, n) if n in times else getattr(message, n) for n in names}


def plain(message: Any) -> dict[str, Any]:
    """A JobSpec as the dict that its YAML would give; what is absent is left out."""
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        union = field.containing_oneof
        if union is not None and union.name == _UNION:
            result |= {_UNION: field.name, **plain(value)}
        else:
            result[field.name] = _plain_field(field, value)
    return result


def _plain_field(field: Any, value: Any) -> Any:
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"].message_type
        return {key: plain(v) if inner else v for key, v in value.items()}
    return [plain(item) for item in value] if field.is_repeated else plain(value)
