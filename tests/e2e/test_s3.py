"""A coordinator whose files are in a bucket of an S3 server."""

import hashlib
import shutil

import pytest
import s3
from conftest import COORDINATOR
from jobs import adapter_bytes, show, submit, succeeded
from programs import StartError, eventually

ADAPTER = "adapter/adapter_model.safetensors"


@pytest.fixture
def bucket(monkeypatch):
    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    with s3.S3() as server:
        yield server


def data_folder(cluster):
    return cluster.folder / "coordinator" / "data"


def files_here(cluster):
    """What of files lies on the coordinator's own disk."""
    return {path.name for path in (data_folder(cluster) / "blobs").rglob("*") if path.is_file()}


def staged(cluster):
    return any((data_folder(cluster) / "blobs" / "incoming").iterdir())


def test_a_job_trains_while_the_bucket_and_the_coordinator_come_and_go(
    lab, cluster, bucket, tmp_path
):
    cluster.start_coordinator(**COORDINATOR, **bucket.flags)
    cluster.start_worker()
    spec = lab.spec("bucket", method={"type": "lora", "r": 4})
    first = submit(cluster, spec)
    succeeded(cluster, first)
    done = cluster.pmt("download", first, "--out", tmp_path / "first", "-o", "json")
    assert done.code == 0, done
    listed = {file["path"]: file["sha256"] for file in done.json["files"]}
    expected = (tmp_path / "first" / ADAPTER).read_bytes()
    assert hashlib.sha256(expected).hexdigest() == listed[ADAPTER]
    assert files_here(cluster) == {"store-id"}

    with bucket.away():
        killed = submit(cluster, spec)
        eventually(lambda: staged(cluster), 60, "no file of the job came")
        cluster.coordinator.kill()
    cluster.restart_coordinator()
    succeeded(cluster, killed)
    assert adapter_bytes(cluster, killed, tmp_path / "killed") == expected
    assert show(cluster, killed)["attempt"] == 1

    with bucket.away():
        delayed = submit(cluster, spec)
        eventually(lambda: staged(cluster), 60, "no file of the job came")
        assert show(cluster, delayed)["state"] == "JOB_STATE_RUNNING"
    succeeded(cluster, delayed)
    assert adapter_bytes(cluster, delayed, tmp_path / "delayed") == expected
    assert show(cluster, delayed)["attempt"] == 1


def test_a_lost_host_is_restored_beside_its_bucket(lab, cluster, bucket, tmp_path):
    cluster.start_coordinator(**COORDINATOR, **bucket.flags)
    cluster.start_worker()
    job = submit(cluster, lab.spec("kept"))
    succeeded(cluster, job)
    expected = adapter_bytes(cluster, job, tmp_path / "before")
    assert cluster.pmt("admin", "backup", "--out", tmp_path / "backup").code == 0
    cluster.coordinator.kill()

    flags = dict(cluster.coordinator.flags)
    del cluster.coordinator.flags["blobs"], cluster.coordinator.flags["s3_endpoint"]
    with pytest.raises(StartError, match=r"none of the \d+ files that .* names is in .*blobs"):
        cluster.restart_coordinator()
    cluster.coordinator.flags = flags
    shutil.rmtree(data_folder(cluster))
    with pytest.raises(StartError, match="holds the files of another data folder"):
        cluster.restart_coordinator()
    place = [word for k, v in bucket.flags.items() for word in ("--" + k.replace("_", "-"), v)]
    command = ["admin", "restore", tmp_path / "backup", "--data-dir", data_folder(cluster)]
    done = cluster.pmt(*command, *place)
    assert done.code == 0, done
    cluster.restart_coordinator()
    assert adapter_bytes(cluster, job, tmp_path / "after") == expected
