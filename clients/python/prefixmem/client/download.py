"""A job's files, each whole or not there."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from prefixmem._proto import job_service_pb2
from prefixmem.client.channel import Channel
from prefixmem.client.errors import DataLoss, InvalidArgument, NotFound
from prefixmem.client.jobs import Artifact


def choose(artifacts: list[Artifact], paths: list[str], job_id: str) -> list[Artifact]:
    """Those at or under one of the paths; without paths all but the checkpoints."""
    if not paths:
        return [file for file in artifacts if file.kind != "checkpoint"]
    for path in paths:
        if not any(_is_under(file.path, path) for file in artifacts):
            raise NotFound(f"job {job_id} has no file {path} in the store")
    return [file for file in artifacts if any(_is_under(file.path, path) for path in paths)]


def download(channel: Channel, job_id: str, file: Artifact, folder: pathlib.Path) -> pathlib.Path:
    """Fetches one file and checks its size and sha256 before it takes its place."""
    target = place_in(folder, file.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as temporary:
        try:
            _fill(temporary, file, _messages(channel, job_id, file))
            temporary.close()
            os.chmod(temporary.name, 0o644)
            os.replace(temporary.name, target)
        except BaseException:
            os.unlink(temporary.name)
            raise
    return target


def place_in(folder: pathlib.Path, path: str) -> pathlib.Path:
    """Where a file goes; InvalidArgument for a path that would lie outside of the folder."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidArgument(f'artifact path "{path}" is no plain relative path')
    base = pathlib.Path(folder).resolve()
    if not (base / path).resolve().is_relative_to(base):
        raise InvalidArgument(f'artifact path "{path}" leaves {base} through a symbolic link')
    return pathlib.Path(folder) / path


def _is_under(path: str, wanted: str) -> bool:
    wanted = wanted.rstrip("/")
    return path == wanted or path.startswith(wanted + "/")


def _messages(channel: Channel, job_id: str, file: Artifact) -> Iterator[Any]:
    request = job_service_pb2.DownloadArtifactRequest(job=job_id, path=file.path)
    seconds = channel.timeout + (file.bytes >> 20)  # a second more for each MiB
    return channel.stream("DownloadArtifact", request, seconds)


def _fill(out: IO[bytes], file: Artifact, messages: Iterator[Any]) -> None:
    header = next(messages, None)
    if header is None or not header.HasField("artifact"):
        raise DataLoss(f"{file.path} came without its header")
    expected, digest, received = header.artifact, hashlib.sha256(), 0
    if expected.path != file.path:
        raise DataLoss(f'the store sent "{expected.path}" for {file.path}')
    for message in messages:
        digest.update(message.chunk)
        received += len(message.chunk)
        out.write(message.chunk)
    if (received, digest.hexdigest()) != (expected.bytes, expected.sha256):
        raise DataLoss(
            f"{file.path} arrived with {received} bytes and sha256 {digest.hexdigest()} where the "
            f"store names {expected.bytes} and {expected.sha256}"
        )
