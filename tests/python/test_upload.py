"""The files that `Client.submit` and `Client.upload` send."""

import hashlib

import grpc
import pytest
import yaml
from fake_service import refuse
from prefixmem._proto import job_service_pb2
from prefixmem.client import DataLoss, InvalidArgument, NotFound, content


def sha256(data):
    return hashlib.sha256(data).hexdigest()


ROWS = b"rows"
DIGEST = sha256(ROWS)


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "train.jsonl"
    file.write_bytes(ROWS)
    return file


@pytest.fixture
def stored(service):
    service.answers["SubmitJob"] = lambda _: job_service_pb2.SubmitJobResponse()
    return service.content


def submitted(service):
    return yaml.safe_load(service.requests[-1].yaml)


def test_files_of_a_spec_become_content(client, service, stored, rows):
    model = rows.parent / "m"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    (model / "model.safetensors").touch()
    spec = {"model": "m", "data": {"train": "train.jsonl", "eval": "train.jsonl"}}
    client.submit(spec)
    content_name = f"content://{DIGEST}/train.jsonl"
    assert submitted(service) == {
        "model": str(model),
        "data": {"train": content_name, "eval": content_name},
    }
    assert stored.whole == {DIGEST: ROWS}
    told = [(one.model, one.config_json) for one in service.requests[-1].model_configs]
    assert told == [(str(model), '{"model_type": "llama"}')]
    client.submit(spec, upload=False)
    assert not service.requests[-1].model_configs


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"data": {"train": "x.jsonl"}}, r"data\.train: .*/x\.jsonl is not on this host; allowed"),
        ({"model": "google/gemma"}, r"model: .*/google/gemma is not on this host; .*models://NAME"),
    ],
)
def test_what_is_not_here_is_refused(client, service, stored, rows, spec, sentence):
    with pytest.raises(NotFound, match=sentence):
        client.submit(spec)
    assert not service.requests


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "the folder m is no model: it has no config.json; allowed: a Hugging Face folder"),
        (["config.json"], "the folder m is no model: it has no weights; allowed: model.safet"),
        (["a.gguf", "b.gguf"], "the folder m is no model: it has no config.json"),
        (["a.gguf"], ""),
        (["config.json", "model.safetensors.index.json"], ""),
    ],
)
def test_a_folder_that_is_no_model_is_refused(client, service, stored, rows, files, sentence):
    model = rows.parent / "m"
    model.mkdir()
    for file in files:
        (model / file).touch()
    if not sentence:
        client.submit({"model": "m"})
        return
    with pytest.raises(InvalidArgument, match=f"model: {sentence}"):
        client.submit({"model": "m"})
    assert not service.requests


def test_what_the_coordinator_would_refuse_is_not_sent(client, service, stored, rows):
    service.answers["CheckJob"] = lambda _: refuse(
        grpc.StatusCode.INVALID_ARGUMENT, "train.seed is -1; allowed: a whole number"
    )
    with pytest.raises(InvalidArgument, match=r"train\.seed is -1"):
        client.submit({"data": {"train": "train.jsonl"}})
    assert not stored.uploads


def test_what_is_there_is_not_sent_again(client, stored, rows):
    client.submit({"data": {"train": "train.jsonl"}})
    client.submit({"data": {"train": "train.jsonl"}})
    assert stored.uploads == [(DIGEST, 0)]


def test_nothing_is_sent_where_that_is_asked_for(client, service, stored, rows):
    client.submit({"data": {"train": "train.jsonl"}}, upload=False)
    assert submitted(service)["data"]["train"] == str(rows)
    assert not stored.uploads


def test_names_with_a_scheme_stay(client, service, stored, rows):
    name = client.upload(rows)
    client.submit({"data": {"train": name, "eval": "root://data/e.jsonl"}})
    assert submitted(service)["data"] == {"train": name, "eval": "root://data/e.jsonl"}


def test_a_broken_upload_goes_on_where_it_stopped(client, stored, rows, monkeypatch):
    monkeypatch.setattr(content, "_RETRY_DELAYS", (0, 0))
    stored.breaks = [3]
    client.upload(rows)
    assert stored.uploads == [(DIGEST, 0), (DIGEST, 3)]
    assert stored.whole == {DIGEST: ROWS}


def test_a_folder_is_the_list_of_its_files(client, stored, tmp_path):
    folder = tmp_path / "adapter"
    (folder / "part").mkdir(parents=True)
    (folder / "part" / "é.bin").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    name = client.upload(folder)
    listed = (
        b'{\n "files": [\n'
        b'  {\n   "path": "config.json",\n   "bytes": 2,\n   "sha256": "'
        + sha256(b"{}").encode()
        + b'"\n  },\n'
        b'  {\n   "path": "part/\xc3\xa9.bin",\n   "bytes": 7,\n   "sha256": "'
        + sha256(b"weights").encode()
        + b'"\n  }\n ]\n}\n'
    )
    assert name == f"content://{sha256(listed)}/adapter/"
    assert stored.whole[sha256(listed)] == listed
    assert stored.whole[sha256(b"weights")] == b"weights"


def test_rows_are_no_folder(client, stored, rows):
    with pytest.raises(InvalidArgument, match=r"data\.train: it is .*, a folder; allowed: a file"):
        client.submit({"data": {"train": "."}})


def test_an_empty_folder_is_refused(client, stored, tmp_path):
    with pytest.raises(InvalidArgument, match="has no file in it"):
        client.upload(tmp_path)


def test_a_file_that_the_coordinator_refuses(client, service, stored, rows):
    stored.refusal = (grpc.StatusCode.DATA_LOSS, "other bytes")
    with pytest.raises(DataLoss, match="changed meanwhile"):
        client.submit({"data": {"train": "train.jsonl"}})
    assert [type(request).__name__ for request in service.requests] == ["CheckJobRequest"]
