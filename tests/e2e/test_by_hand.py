"""pmt-trainer by hand under mpirun is the same job as through the service."""

import hashlib
import json
import os
import subprocess

from jobs import losses, submit, succeeded

MPIRUN = ["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none"]


def test_by_hand_and_through_the_service(lab, service, tmp_path):
    spec = lab.spec("by-hand")
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    out = tmp_path / "out"
    subprocess.run(
        [*MPIRUN, *root, service.bin / "pmt-trainer", spec, "--out", out],
        check=True,
        capture_output=True,
        timeout=120,
    )
    names = {path.name for path in out.iterdir()}
    assert names == {"metrics.jsonl", "adapter", "checkpoints", "result.json"}
    by_hand = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

    job = submit(service, spec)
    served = losses(succeeded(service, job))
    assert {m["step"]: m["loss"] for m in by_hand} == served

    assert service.pmt("download", job, "--out", tmp_path / "served").code == 0
    file = "adapter/adapter_model.safetensors"
    digests = {hashlib.sha256((d / file).read_bytes()).digest() for d in (out, tmp_path / "served")}
    assert len(digests) == 1
