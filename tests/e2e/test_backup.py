"""A backup taken while a job trains, and the coordinator that is restored from it."""

import shutil

import pytest
from conftest import COORDINATOR
from jobs import at_step, checkpointed, number, show, submit, succeeded
from programs import StartError


def data_folder(cluster):
    return cluster.folder / "coordinator" / "data"


def restore(cluster, backup):
    done = cluster.pmt("admin", "restore", backup, "--data-dir", data_folder(cluster))
    assert done.code == 0, done
    assert "what was there is in" in done.err


def test_a_job_goes_on_from_its_checkpoint_after_a_restore(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    spec = lab.spec("saved", train__max_steps=400, train__checkpoint_every=20)
    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(checkpointed(20))
        done = cluster.pmt("admin", "backup", "--out", tmp_path / "backup", "-o", "json")
        assert done.code == 0 and done.json["files"] >= 1, done
        watch.until(at_step(100))
        cluster.coordinator.kill()
    seen = watch.seen
    shutil.rmtree(data_folder(cluster) / "blobs")
    (data_folder(cluster) / "coordinator.db-wal").unlink()  # or it would mend what follows
    (data_folder(cluster) / "coordinator.db").write_bytes(b"x" * 4096)
    with pytest.raises(StartError, match=r"is damaged .* pmt admin restore BACKUP --data-dir"):
        cluster.restart_coordinator()

    restore(cluster, tmp_path / "backup")
    cluster.restart_coordinator()
    events = succeeded(cluster, job)
    assert [number(e) for e in events] == list(range(1, len(events) + 1))
    common = next(i for i, (a, b) in enumerate(zip(seen, events)) if a != b)
    assert "was restored from a backup of" in events[common]["state"]["reason"]
    shown = show(cluster, job)
    assert shown["attempt"] == 1001 and shown["state"] == "JOB_STATE_SUCCEEDED"
    got = cluster.pmt("download", job, "--out", tmp_path / "out")
    assert got.code == 0 and (tmp_path / "out" / "adapter").is_dir(), got


def test_a_coordinator_that_runs_is_not_restored(cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    assert cluster.pmt("admin", "backup", "--out", tmp_path / "backup").code == 0
    refused = cluster.pmt(
        "admin", "restore", tmp_path / "backup", "--data-dir", data_folder(cluster)
    )
    assert refused.code == 13 and "is locked by another process" in refused.err, refused
