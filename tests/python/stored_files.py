"""Files that the fake service holds, and the messages in which they come."""

import hashlib

from prefixmem._proto import job_pb2, job_service_pb2

FILES = {"adapter/a.bin": b"abc" * 70_000, "result.json": b"{}", "checkpoints/4": b"big"}


def artifact(path, **changes):
    data = FILES.get(path, b"")
    kind = path.split("/")[0].removesuffix("s").removesuffix(".json")
    known = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "kind": kind}
    return job_pb2.Artifact(path=path, **{**known, **changes})


def chunks(path):
    data = FILES[path]
    return [data[i : i + 65536] for i in range(0, len(data), 65536)]


def parts(*messages):
    """A bytes is a chunk, an Artifact the header."""
    for message in messages:
        field = "chunk" if isinstance(message, bytes) else "artifact"
        yield job_service_pb2.DownloadArtifactResponse(**{field: message})
