"""The programs of the build, for tests of what deploy/ says of them."""

import functools
import pathlib
import re
import subprocess

from programs import build_folder

REPO = pathlib.Path(__file__).resolve().parents[2]
BIN = build_folder() / "bin"


@functools.cache
def flags_of(program):
    """Those that `PROGRAM --help` lists."""
    told = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^ +(?:-\w,)?(--[a-z][a-z-]*)", told.stdout, re.M))


def check_flags(program, words):
    """Every --flag among `words` is one that the program has."""
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= flags_of(program), given - flags_of(program)
