"""The examples of the pages run, in the order in which they stand."""

import pathlib
import re
import shutil
import sys

import fake_service
import folders
import prefixmem
import pytest
import stored_files
import test_probe
from prefixmem._proto import job_pb2, job_service_pb2, sweep_pb2
from transformers import AutoModelForCausalLM

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(REPO / "tests" / folder) for folder in ("e2e", "trainer")]  # tiny

import tiny  # noqa: E402

PAGES = [REPO / "docs" / "python.md", REPO / "clients" / "python" / "README.md"]


def examples(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The files that the examples name."""
    monkeypatch.chdir(tmp_path)
    tiny.write_model(tmp_path / "model")
    (tmp_path / "job.yaml").write_text("name: a\n")
    (tmp_path / "train.jsonl").write_text("{}\n")
    model = AutoModelForCausalLM.from_pretrained("model")
    adapter = folders.write_random(tmp_path / "adapter", model)
    test_probe.write_probe(adapter, model)
    shutil.copytree(adapter, tmp_path / "workshop" / "adapter")
    return tmp_path


@pytest.fixture
def address():
    """Of a service that has one job, which has ended well."""
    job = job_pb2.Job(id="job-a", state=4)
    files = stored_files.FILES
    answers = {
        "SubmitJob": lambda _: job_service_pb2.SubmitJobResponse(jobs=[job]),
        "GetJob": lambda _: job,
        "GetSweep": lambda _: sweep_pb2.Sweep(id="sweep-a", state=2),
        "ListJobs": lambda _: job_service_pb2.ListJobsResponse(jobs=[job]),
        "WatchJob": lambda _: fake_service.story(),
        "StreamLogs": lambda _: [job_service_pb2.LogLine(rank=1, message="rank 1 is ready")],
        "ListArtifacts": lambda _: job_service_pb2.ListArtifactsResponse(
            artifacts=map(stored_files.artifact, files)
        ),
        "DownloadArtifact": lambda request: stored_files.parts(
            stored_files.artifact(request.path), *stored_files.chunks(request.path)
        ),
    }
    with fake_service.served() as host:
        host.service.answers = answers
        yield host.address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page, here, address):
    blocks = examples(page)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        code = compile(block.replace("127.0.0.1:7070", address), str(page), "exec")
        exec(code, names)
    assert names["found"].verdict is prefixmem.Verdict.APPLIED
    assert (here / "workshop" / "result.json").read_bytes() == stored_files.FILES["result.json"]
    if "further" in "".join(blocks):
        saved = (here / "further" / "adapter_model.safetensors").read_bytes()
        assert saved != (here / "adapter" / "adapter_model.safetensors").read_bytes()
