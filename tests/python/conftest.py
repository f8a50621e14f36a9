import pathlib
import sys

import pytest
import torch

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"
sys.path.insert(0, str(PACKAGE))

import stubs  # noqa: E402

stubs.ensure()

import fake_service  # noqa: E402
from prefixmem import Client  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path):
    """An adapter's folder, empty."""
    made = tmp_path / "adapter"
    made.mkdir()
    return made


@pytest.fixture
def host():
    with fake_service.served() as host:
        yield host


@pytest.fixture
def service(host):
    return host.service


@pytest.fixture
def client(host):
    with Client(host.address) as client:
        yield client
