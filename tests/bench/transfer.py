"""A file to the coordinator and back over loopback, beside `sha256sum` of the same file.

    python tests/bench/transfer.py [--mib 1024] [--rounds 3]

Whole programs in turn: sha256sum; transfer_bench, which sends the file as `pmt submit` does once it
knows its digest, and fetches it as a worker does; `pmt models add` of another file, its digest
included. Whoever receives hashes the bytes and syncs them to the disk.
"""

import hashlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import harness
from harness import Figure, Table

sys.path.insert(0, str(harness.REPO / "deploy/local"))
from cluster import Cluster

BLOCK = 1 << 20
UPLOAD, DOWNLOAD, ADD = "upload", "download", "pmt models add, digest included"
BARS = {UPLOAD: 0.5, DOWNLOAD: 0.5, ADD: None}


def seconds(command):
    start = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")
    return time.monotonic() - start


def write_file(file, blocks):
    """Random bytes; gives their digest."""
    digest = hashlib.sha256()
    with file.open("wb") as opened:
        for _ in range(blocks):
            block = os.urandom(BLOCK)
            digest.update(block)
            opened.write(block)
        os.fsync(opened.fileno())
    return digest.hexdigest()


def one_round(cluster, folder, blocks):
    """{what: seconds}"""
    program = harness.build_folder() / "tests" / "transfer_bench"
    sent, added, fetched = folder / "sent", folder / "added.gguf", folder / "fetched"
    digest = write_file(sent, blocks)
    write_file(added, blocks)
    name = f"added-{digest[:12]}"
    pmt = [cluster.bin / "pmt", "--server", cluster.server]
    took = {
        "sha256sum": seconds(["sha256sum", sent]),
        UPLOAD: seconds([program, "send", cluster.server, digest, sent]),
        DOWNLOAD: seconds([program, "fetch", cluster.server, digest, fetched]),
        ADD: seconds([*pmt, "models", "add", added, "--name", name]),
    }
    for file in (sent, added, fetched):
        file.unlink()
    return took


def bench(options):
    with Cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.start_coordinator()
        place = pathlib.Path(folder)
        rounds = [one_round(cluster, place, options.mib) for _ in range(options.rounds)]
    rates = {name: [options.mib / one[name] for one in rounds] for name in rounds[0]}
    for name, bar in BARS.items():
        shares = [
            ours / theirs for ours, theirs in zip(rates[name], rates["sha256sum"], strict=True)
        ]
        detail = f"{statistics.median(rates[name]):.0f} MiB/s"
        yield Figure(f"{name} over sha256sum", statistics.median(shares), bar, "", detail=detail)
    rows = [[name, *(f"{rate:.0f}" for rate in found)] for name, found in rates.items()]
    yield Table(["MiB/s", *(f"round {n + 1}" for n in range(options.rounds))], rows)


if __name__ == "__main__":
    harness.main("transfer", bench, __doc__, mib=1024, rounds=3)
