"""Installs a whole bundle (`make bundle`) where nothing else is, and trains with what it installed.

    real_bundle.py BUNDLE MODEL

As root, who may mount: about a minute and 8 GB, so no part of `make test`, where an empty package
stands in for LibTorch. MODEL: a small Hugging Face folder. Without a network but loopback, a bare
Debian takes the packages, two ranks train, the adapter comes out and proves itself, and all goes.
"""

import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import conftest  # noqa: F401 (where deploy/'s modules lie)
from bare_root import make_root
from commands import REPO

JOB = """
name: from-the-bundle
model: root://srv/model
method: {type: prefix_memory}
data: {train: root://srv/train.jsonl, format: text_label}
train: {max_steps: 20, global_batch_size: 8}
resources: {ranks: 2, device: cpu, threads: 1}
"""
STEPS = """
set -euo pipefail
/tmp/bundle/install.sh pmt pmt-coordinator pmt-worker
mkdir /srv/work && chown prefixmem-job /srv/work
pmt-coordinator --data-dir /srv/store --ready-file /srv/ready & coordinator=$!
until [ -e /srv/ready ]; do kill -0 $coordinator; sleep 0.1; done
pmt-worker --work-dir /srv/work --slots 2 --root srv=/srv & worker=$!
pmt submit --watch /srv/job.yaml
pmt workers
pmt download from-the-bundle --out /srv/out
pmt-adapter verify /srv/out/adapter | tee /srv/verified
grep -q '^APPLIED' /srv/verified
kill $worker $coordinator
wait $worker $coordinator
dpkg --purge pmt-worker pmt-libtorch pmt-coordinator pmt
for gone in /usr/bin/pmt-trainer /usr/lib/prefixmem /etc/prefixmem; do [ ! -e $gone ]; done
"""
SETTINGS = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "OMPI_ALLOW_RUN_AS_ROOT=1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
]


def unpack(bundle, folder):
    with tarfile.open(bundle) as tar:
        tar.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top.rename(folder.parent / "bundle")


def main(bundle, model):
    with tempfile.TemporaryDirectory(dir=pathlib.Path(bundle).resolve().parent) as place:
        root = make_root(pathlib.Path(place, "root"))
        (root / "tmp" / "unpacked").mkdir()
        unpack(bundle, root / "tmp" / "unpacked")
        (root / "srv").mkdir()
        shutil.copytree(model, root / "srv" / "model")
        shutil.copy(REPO / "tests" / "data" / "intents" / "train.jsonl", root / "srv")
        (root / "srv" / "job.yaml").write_text(JOB)
        mounts = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev"'
        enter = f'ip link set lo up && {mounts} && exec chroot "$0" env -i "$@"'
        apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        steps = ["timeout", "300", "bash", "-c", STEPS]
        return subprocess.run([*apart, "sh", "-c", enter, root, *SETTINGS, *steps]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
