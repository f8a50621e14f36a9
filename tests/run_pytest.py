"""pytest as ctest runs it: a test that is skipped for a reason unknown here fails the run."""

import os
import pathlib
import sys

import pytest

REPO = pathlib.Path(__file__).resolve().parents[1]
SHARED = pathlib.Path(os.environ.get("PREFIXMEM_SHARED", REPO.parent / "shared"))
LACKS = [
    "only root becomes somebody else",
    "no network namespaces here",
    "no mounts for this user",
]
if not SHARED.is_dir():
    LACKS.append("PREFIXMEM_SHARED names the folder of shared models")


class Skips:
    """Keeps those that no lack of this host explains."""

    def __init__(self):
        self.unexplained = []

    def look(self, report):
        if report.skipped and not any(lack in str(report.longrepr) for lack in LACKS):
            self.unexplained.append(f"{report.nodeid} is skipped: {report.longrepr}")

    def pytest_collectreport(self, report):
        self.look(report)

    def pytest_runtest_logreport(self, report):
        self.look(report)

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.unexplained:
            terminalreporter.write_line(line)

    def pytest_sessionfinish(self, session):
        if self.unexplained:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:], plugins=[Skips()]))
