"""Makes the gRPC stubs of prefixmem/_proto from proto/prefixmem/v1.

The .proto files keep their names, so that their descriptors are those of any other client in the
same process; only the Python modules move into this package.
"""

import hashlib
import importlib.metadata
import os
import pathlib
import tempfile

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
FILES = (
    "prefixmem/v1/job.proto",
    "prefixmem/v1/sweep.proto",
    "prefixmem/v1/job_service.proto",
    "prefixmem/v1/content_service.proto",
)
STAMP = "made_from"


def proto_root() -> pathlib.Path:
    """The folder that holds prefixmem/v1: in a source archive beside this file."""
    for root in (HERE / "proto", HERE.parents[1] / "proto"):
        if all((root / file).is_file() for file in FILES):
            return root
    raise FileNotFoundError(f"there is no proto/{FILES[0]} in {HERE} or {HERE.parents[1]}")


def generate(package: pathlib.Path) -> None:
    """Writes the modules into `package`/_proto; each file is there whole or not at all."""
    root = proto_root()
    target = package / "_proto"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        _run_protoc(root, folder)
        made = pathlib.Path(folder) / "prefixmem" / "v1"
        for file in sorted(made.iterdir()):
            text = file.read_text(encoding="utf-8")
            file.write_text(
                text.replace("from prefixmem.v1 import", "from prefixmem._proto import")
            )
            os.replace(file, target / file.name)
        stamp = pathlib.Path(folder) / STAMP
        stamp.write_text(_digest(root))
        os.replace(stamp, target / STAMP)


def ensure(package: pathlib.Path = HERE / "prefixmem") -> None:
    """Generates where the modules are missing or come from other files: for a source checkout."""
    stamp = package / "_proto" / STAMP
    if not stamp.is_file() or stamp.read_text() != _digest(proto_root()):
        generate(package)


def _run_protoc(root: pathlib.Path, out: str) -> None:
    well_known = importlib.metadata.distribution("grpcio-tools").locate_file("grpc_tools/_proto")
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    code = protoc.main(["protoc", f"-I{root}", f"-I{well_known}", *outputs, *FILES])
    if code != 0:
        raise RuntimeError(f"protoc ended with {code} on {', '.join(FILES)}")


def _digest(root: pathlib.Path) -> str:
    """Of everything the modules depend on."""
    digest = hashlib.sha256(importlib.metadata.version("grpcio-tools").encode())
    digest.update(pathlib.Path(__file__).read_bytes())
    for file in FILES:
        digest.update((root / file).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    generate(HERE / "prefixmem")
