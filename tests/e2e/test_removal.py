"""What `pmt rm` takes is gone from the disk; what another job has of it, or is pinned, is not."""

from jobs import adapter_bytes, show, submit, succeeded
from programs import eventually


def blobs(cluster):
    """Digests of the files that lie in the store."""
    folder = cluster.folder / "coordinator" / "data" / "blobs"
    return {path.name for path in folder.glob("??/*") if path.is_file()}


def stored_bytes(cluster):
    (tenant,) = cluster.pmt("tenants", "-o", "json").json["tenants"]
    return int(tenant["stored_bytes"])


def files_of(cluster, job):
    listed = cluster.pmt("download", job, "-o", "json", "--out", cluster.folder / f"of-{job}")
    return {file["sha256"] for file in listed.json.get("files", [])}


def test_a_removed_job_leaves_its_files_to_nobody(lab, service, tmp_path):
    before = stored_bytes(service)
    method = {"type": "lora", "r": 2}
    job = submit(service, lab.spec("removed", method=method), "--no-upload")
    succeeded(service, job)
    adapter = adapter_bytes(service, job, tmp_path / "first")
    files = files_of(service, job)
    assert files and files <= blobs(service)
    heir = lab.spec("heir", method={**method, "init": f"job://{job}"})
    heir = submit(service, heir, "--no-upload")
    succeeded(service, heir)

    assert service.pmt("pin", job).code == 0
    refused = service.pmt("rm", job)
    assert refused.code == 13 and "is pinned" in refused.err  # FAILED_PRECONDITION
    assert adapter_bytes(service, job, tmp_path / "second") == adapter
    assert service.pmt("unpin", job).code == 0

    done = service.pmt("rm", "--files", job)
    assert done.code == 0, done
    assert show(service, job)["files_remove_time"]
    missing = service.pmt("download", job, "--out", tmp_path / "third")
    assert missing.code != 0 and "removed at" in missing.err, missing
    adapter_files = files & blobs(service)  # that the other began with
    assert 0 < len(adapter_files) < len(files)
    done = service.pmt("rm", job, heir)
    assert done.code == 0, done
    assert service.pmt("show", job).code == 12  # NOT_FOUND
    assert blobs(service) & files == adapter_files, "content stays for a while"
    eventually(lambda: stored_bytes(service) == before, 10, "no file counts any more")


def test_a_sweep_is_removed_whole(lab, service):
    sweep = {"grid": {"train.seed": [1, 2]}}
    spec = lab.spec("grid", train__max_steps=3, resources__ranks=1, sweep=sweep)
    made = service.pmt("submit", spec, "-o", "json", "--no-upload").json
    trials = [job["id"] for job in made["jobs"]]
    early = service.pmt("rm", made["sweep_id"])
    assert early.code == 13, early
    for trial in trials:
        succeeded(service, trial)
    alone = service.pmt("rm", trials[0])
    assert alone.code == 13 and "is a trial of sweep" in alone.err

    def remove():
        done = service.pmt("rm", "grid", "-o", "json")
        return done.code == 0 and done

    done = eventually(remove, 10, "the sweep removed")
    (removed,) = done.json["removed"]
    assert (removed["sweep_id"], removed["jobs"]) == (made["sweep_id"], 2)
    assert int(removed["files"]) > 0
    assert service.pmt("results", made["sweep_id"]).code == 12
    assert [service.pmt("show", trial).code for trial in trials] == [12, 12]
