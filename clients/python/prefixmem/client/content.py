"""Files of this host as content of the coordinator's: named by sha256, sent once."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prefixmem._proto import content_service_pb2
from prefixmem.client.channel import Channel
from prefixmem.client.errors import DataLoss, InvalidArgument, ServiceError, Unavailable

_CHUNK = 1 << 20
_ASKED_AT_ONCE = 10_000
_RETRY_DELAYS = (0.2, 0.4, 0.8, 1.6, 3.2)  # seconds; of tries in a row that have brought nothing


@dataclass(frozen=True)
class LocalContent:
    sha256: str
    bytes: int
    file: pathlib.Path | None  # None: `text` is the content
    text: bytes = b""


@dataclass(frozen=True)
class Upload:
    """What a spec names, and what it is made of."""

    name: str  # content://SHA256/NAME, a folder with a slash at the end
    contents: tuple[LocalContent, ...]


def read(path: str | os.PathLike[str]) -> Upload:
    """A file, or a folder with all of its files; links count as what they lead to."""
    path = pathlib.Path(os.path.abspath(path))
    if path.is_dir():
        contents = _folder(path)
        return Upload(f"content://{contents[-1].sha256}/{path.name}/", tuple(contents))
    content = _file(path)
    return Upload(f"content://{content.sha256}/{path.name}", (content,))


def send(channel: Channel, contents: Iterable[LocalContent]) -> None:
    """Those that the coordinator has not; a call that breaks is gone on with where it stopped."""
    wanted = list({content.sha256: content for content in contents}.values())
    for content, state in zip(wanted, _states(channel, wanted), strict=True):
        _send(channel, content, state)


def _folder(folder: pathlib.Path) -> list[LocalContent]:
    """The files but hidden ones, then their list, as common/content/folder_list.h has it."""
    paths = sorted(
        os.path.relpath(os.path.join(base, name), folder)
        for base, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
    paths = [path for path in paths if not _hidden(path) and (folder / path).is_file()]
    if not paths:
        raise InvalidArgument(f"the folder {folder} has no file in it; allowed: one with files")
    contents = [_file(folder / path) for path in paths]
    listed = content_list([(p, c.bytes, c.sha256) for p, c in zip(paths, contents, strict=True)])
    return [*contents, LocalContent(hashlib.sha256(listed).hexdigest(), len(listed), None, listed)]


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in pathlib.PurePath(path).parts)


def content_list(files: list[tuple[str, int, str]]) -> bytes:
    """To the byte what the C++ client writes for the same files."""
    files = sorted(files, key=lambda file: file[0].encode())
    entries = [{"path": path, "bytes": size, "sha256": sha256} for path, size, sha256 in files]
    return (json.dumps({"files": entries}, indent=1, ensure_ascii=False) + "\n").encode()


def _file(file: pathlib.Path) -> LocalContent:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while block := opened.read(_CHUNK):
            digest.update(block)
            size += len(block)
    return LocalContent(digest.hexdigest(), size, file)


def _states(channel: Channel, contents: list[LocalContent]) -> list[Any]:
    states: list[Any] = []
    for start in range(0, len(contents), _ASKED_AT_ONCE):
        asked = [content.sha256 for content in contents[start : start + _ASKED_AT_ONCE]]
        request = content_service_pb2.StatContentRequest(sha256=asked)
        states += channel.call("StatContent", request).contents
    return states


def _send(channel: Channel, content: LocalContent, state: Any) -> None:
    fruitless = 0
    while not state.complete:
        try:
            seconds = channel.timeout + (content.bytes >> 20)  # a second more for each MiB
            messages = _messages(content, state.received_bytes)
            channel.send("UploadContent", messages, seconds)
            return
        except DataLoss as error:
            raise DataLoss(f"{error}; has {content.file} changed meanwhile?") from error
        except Unavailable as error:
            failure: ServiceError = error
        if fruitless == len(_RETRY_DELAYS):
            raise failure
        time.sleep(_RETRY_DELAYS[fruitless])
        fruitless += 1
        try:
            now = _states(channel, [content])[0]
        except Unavailable:
            continue
        fruitless = fruitless if now.received_bytes == state.received_bytes else 0
        state = now


def _messages(content: LocalContent, offset: int) -> Iterator[Any]:
    header = content_service_pb2.ContentHeader(
        sha256=content.sha256, bytes=content.bytes, offset=offset
    )
    yield content_service_pb2.UploadContentRequest(header=header)
    for chunk in _chunks(content, offset):
        yield content_service_pb2.UploadContentRequest(chunk=chunk)


def _chunks(content: LocalContent, offset: int) -> Iterator[bytes]:
    """Of a file that has grown, what was there when it was read."""
    if content.file is None:
        yield content.text[offset:]
        return
    with content.file.open("rb") as opened:
        opened.seek(offset)
        while offset < content.bytes and (
            chunk := opened.read(min(_CHUNK, content.bytes - offset))
        ):
            offset += len(chunk)
            yield chunk
