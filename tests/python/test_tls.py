"""The client dials with TLS where it is given an authority."""

import pathlib
import subprocess

import fake_service
import grpc
import pytest
from prefixmem import Client
from prefixmem import client as api
from prefixmem._proto import job_service_pb2

CERTIFICATES = pathlib.Path(__file__).resolve().parents[1] / "certificates.sh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ca.crt, another.crt, and the server's certificate, which ca has signed."""
    made = tmp_path_factory.mktemp("certificates")
    for words in (["ca", "ca"], ["ca", "another"], ["issue", "ca", "server", "server"]):
        subprocess.run([CERTIFICATES, *words], cwd=made, check=True)
    return made


@pytest.fixture
def server(folder):
    pair = tuple((folder / f"server.{end}").read_bytes() for end in ("key", "crt"))
    with fake_service.served(grpc.ssl_server_credentials([pair])) as host:
        host.service.answers["ListWorkers"] = lambda _: job_service_pb2.ListWorkersResponse()
        yield host


@pytest.fixture
def address(server):
    return server.address


def test_dials_with_tls(address, folder):
    with Client(address, tls_ca=folder / "ca.crt") as client:
        assert client.workers() == []


def test_the_environment_names_the_authority(address, folder, monkeypatch):
    monkeypatch.setenv("PREFIXMEM_TLS_CA", str(folder / "ca.crt"))
    with Client(address) as client:
        assert client.workers() == []
    with Client(address, tls_ca=folder / "another.crt") as client, pytest.raises(api.Unavailable):
        client.workers()


def test_another_authority_is_not_trusted(address, folder):
    with Client(address, tls_ca=folder / "another.crt") as client, pytest.raises(api.Unavailable):
        client.workers()


def test_without_tls_it_is_not_answered(address):
    with Client(address) as client, pytest.raises(api.Unavailable):
        client.workers()


def test_shows_a_token_where_it_has_one(server, folder, monkeypatch):
    (folder / "token").write_text("pmt_c\n")
    authority = folder / "ca.crt"
    for token, variables in (
        (None, {}),
        ("pmt_a", {}),
        (None, {"PREFIXMEM_TOKEN": "pmt_b"}),
        (None, {"PREFIXMEM_TOKEN": "pmt_b", "PREFIXMEM_TOKEN_FILE": str(folder / "token")}),
    ):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with Client(server.address, tls_ca=authority, token=token) as client:
            client.workers()
    assert server.service.tokens == [None, "Bearer pmt_a", "Bearer pmt_b", "Bearer pmt_c"]


def test_a_token_goes_over_tls_alone():
    with pytest.raises(ValueError, match="a token is given without tls_ca"):
        Client("127.0.0.1:7070", token="pmt_a")


def test_a_file_that_holds_no_certificate(folder):
    with pytest.raises(ValueError, match=r"server\.key, which holds no certificate"):
        Client("127.0.0.1:7070", tls_ca=folder / "server.key")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Client("127.0.0.1:7070", tls_ca="/nowhere/ca.crt")
