"""pmt-trainer by hand under mpirun is the same job as through the service."""

import hashlib
import json
import os
import subprocess

from jobs import losses, submit, succeeded

ROOT = ["--allow-run-as-root"] if os.geteuid() == 0 else []
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", *ROOT]


def test_by_hand_and_through_the_service(lab, service, tmp_path):
    spec = lab.spec("by-hand")
    out = tmp_path / "out"
    subprocess.run(
        [*MPIRUN, "-n", "2", service.bin / "pmt-trainer", spec, "--out", out],
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


def test_hosts_whose_files_differ(lab, service, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(lab.data.read_text().splitlines()[:-1]) + "\n")
    specs = [lab.spec("mine"), lab.spec("others", data__train=str(other))]

    def rank(spec):
        place = [f"PREFIXMEM_TRAINER_SPEC={spec}", f"PREFIXMEM_TRAINER_OUT={tmp_path / 'out'}"]
        return ["-n", "1", "env", *place, service.bin / "pmt-trainer"]

    done = subprocess.run(
        [*MPIRUN, *rank(specs[0]), ":", *rank(specs[1])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "rank 1 has other rows than rank 0" in done.stderr, done.stderr
