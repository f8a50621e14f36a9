"""The tests that docs/security.md names beside its threats are there."""

import pathlib
import re

REPO = pathlib.Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "security.md"


def google_tests():
    """Suite.Name of every test in tests/unit."""
    for file in (REPO / "tests" / "unit").rglob("*.cc"):
        text = file.read_text("utf-8")
        for suite, name in re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", text, re.M):
            yield f"{suite}.{name}"


def python_tests():
    """FILE::NAME of every test in Python."""
    for file in (REPO / "tests").rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.M):
            yield f"{file.name}::{name}"


def threats():
    """The cells of each row of the table of threats."""
    text = PAGE.read_text(encoding="utf-8").split("## Threats", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return rows[1:]


def test_every_threat_has_tests_and_they_are_there():
    known = {*google_tests(), *python_tests()}
    assert len(threats()) > 10
    for threat, _, tests in threats():
        named = re.findall(r"`([^`]+)`", tests)
        assert named, threat
        assert not [name for name in named if name not in known], threat
