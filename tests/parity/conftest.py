import measured
import models
import pytest


def pytest_addoption(parser):
    parser.addoption("--parity-table", action="store_true", help="print what was measured")


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--parity-table"):
        terminalreporter.write_line("\n" + "\n".join(measured.table()))


@pytest.fixture(scope="session")
def model_named(tmp_path_factory):
    """A function that makes each model once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = models.make(name, tmp_path_factory.mktemp("model") / "folder")
        return made[name]

    return make


@pytest.fixture(params=models.ALL)
def model(request, model_named):
    return model_named(request.param)
