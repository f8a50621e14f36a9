"""Specs that name models of the Hugging Face Hub, of which one on loopback stands in."""

import http.server
import json
import threading

import pytest
import yaml
from prefixmem._proto import job_service_pb2
from prefixmem.client import FailedPrecondition, InvalidArgument, NotFound, Unavailable

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = '{"model_type": "llama"}'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, body = self.server.answers.get(self.path, (404, ""))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", body)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.answers = {
            "/api/models/org/tiny/revision/main": (200, json.dumps({"sha": COMMIT})),
            f"/org/tiny/resolve/{COMMIT}/config.json": (200, CONFIG),
        }
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.delenv("HF_TOKEN_PATH", raising=False)
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def stored(service):
    service.answers["SubmitJob"] = lambda _: job_service_pb2.SubmitJobResponse()


def test_the_commit_and_the_configuration_are_sent(client, service, hub):
    client.submit({"model": "hf://org/tiny", "sweep": {"grid": {"model": ["hf://org/tiny@main"]}}})
    sent = service.requests[-1]
    name = f"hf://org/tiny@{COMMIT}"
    assert yaml.safe_load(sent.yaml) == {"model": name, "sweep": {"grid": {"model": [name]}}}
    assert [(one.model, one.config_json) for one in sent.model_configs] == [(name, CONFIG)]


def test_a_commit_needs_no_hub(client, service, hub):
    hub.answers.clear()
    client.submit({"model": f"hf://org/tiny@{COMMIT}"})
    assert not service.requests[-1].model_configs


def test_the_token_is_for_the_hub_alone(client, hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "\n")
    (tmp_path / "token").write_text("hf_secret\n")
    config = f"/org/tiny/resolve/{COMMIT}/config.json"
    hub.answers[config] = (302, f"http://localhost:{hub.server_port}/elsewhere")
    hub.answers["/elsewhere"] = (200, CONFIG)
    client.submit({"model": "hf://org/tiny"})
    assert dict(hub.asked)[config] == "Bearer hf_secret"
    assert dict(hub.asked)["/elsewhere"] is None


@pytest.mark.parametrize(
    ("key", "value"), [("HF_ENDPOINT", "hub.example"), ("HF_TOKEN", "hf_sec\nret")]
)
def test_a_bad_environment_is_named_without_the_token(client, hub, monkeypatch, key, value):
    monkeypatch.setenv(key, value)
    with pytest.raises(InvalidArgument, match="HF_ENDPOINT is no URL, or HF_TOKEN has") as raised:
        client.submit({"model": "hf://org/tiny"})
    assert "hf_sec" not in str(raised.value) and raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("model", "answer", "kind", "sentence"),
    [
        ("hf://tiny", None, InvalidArgument, 'model: "hf://tiny" names no model of the Hub; allow'),
        ("hf://org/tiny@v9", None, NotFound, "has no such model or revision"),
        ("hf://org/tiny", (401, ""), FailedPrecondition, "does not show it; allowed: in HF_TOKEN"),
        ("hf://org/tiny", (500, ""), Unavailable, "answers 500"),
        ("hf://org/tiny", (200, "<html>"), Exception, "not what it documents"),
        ("hf://org/tiny", (200, '{"sha": "../x"}'), Exception, "a commit that is none"),
    ],
)
def test_what_the_hub_does_not_give(client, service, hub, model, answer, kind, sentence):
    if answer:
        hub.answers["/api/models/org/tiny/revision/main"] = answer
    with pytest.raises(kind, match=sentence):
        client.submit({"model": model})
    assert not service.requests
