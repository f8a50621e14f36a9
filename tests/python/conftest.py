import os
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"
sys.path.insert(0, str(PACKAGE))

import stubs  # noqa: E402

stubs.ensure()

import fake_service  # noqa: E402
from prefixmem import Client  # noqa: E402

# Of torch, which most of these tests do not load.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
