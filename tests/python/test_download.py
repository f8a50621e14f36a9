"""Client.download: each file whole or not there, and none outside of the folder."""

import grpc
import pytest
from fake_service import Refusal
from prefixmem import client as api
from prefixmem._proto import job_pb2, job_service_pb2
from stored_files import FILES, artifact, chunks, parts

JOB = api.jobs.job_of(job_pb2.Job(id="job-a", state=1))


@pytest.fixture
def store(service):
    service.answers["ListArtifacts"] = lambda _: job_service_pb2.ListArtifactsResponse(
        artifacts=map(artifact, FILES)
    )
    service.answers["DownloadArtifact"] = lambda request: parts(
        artifact(request.path), *chunks(request.path)
    )
    return service


def files_in(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def test_download(store, client, tmp_path):
    got = client.download(JOB, tmp_path)
    assert got == [tmp_path / "adapter/a.bin", tmp_path / "result.json"]
    assert all(file.read_bytes() == FILES[str(file.relative_to(tmp_path))] for file in got)
    client.download(JOB, tmp_path, paths=["checkpoints/"])
    assert files_in(tmp_path) == sorted(FILES)
    with pytest.raises(api.NotFound, match="no file adapter/b"):
        client.download(JOB, tmp_path, paths=["adapter", "adapter/b"])


BROKEN = {
    "flipped": (artifact("result.json"), b"[]"),
    "short": (artifact("result.json"), b"{"),
    "long": (artifact("result.json"), b"{}", b" "),
    "headless": (b"{}",),
    "empty": (),
    "another": (artifact("adapter/a.bin"), *chunks("adapter/a.bin")),
}


@pytest.mark.parametrize("messages", BROKEN.values(), ids=BROKEN)
def test_a_file_is_whole_or_not_there(store, client, tmp_path, messages):
    store.answers["DownloadArtifact"] = lambda _: parts(*messages)
    (tmp_path / "result.json").write_text("old")
    with pytest.raises(api.DataLoss, match=r"result\.json"):
        client.download(JOB, tmp_path, paths=["result.json"])
    assert files_in(tmp_path) == ["result.json"]
    assert (tmp_path / "result.json").read_text() == "old"


def test_a_download_that_breaks_off(store, client, tmp_path):
    def answer(_):
        yield from parts(artifact("result.json"))
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "x: reset")

    store.answers["DownloadArtifact"] = answer
    with pytest.raises(api.Unavailable, match="reset"):
        client.download(JOB, tmp_path, paths=["result.json"])
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("path", ("../up", "/root", "a//b", "a/./b", "link/x", "a\0b"))
def test_no_file_leaves_the_folder(store, client, tmp_path, path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    listed = job_service_pb2.ListArtifactsResponse(artifacts=[artifact(path)])
    store.answers["ListArtifacts"] = lambda _: listed
    with pytest.raises(api.InvalidArgument, match="artifact path"):
        client.download(JOB, folder)
    assert files_in(tmp_path) == []
