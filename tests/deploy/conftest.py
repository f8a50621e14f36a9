"""Modules of deploy/ that the tests import."""

import pathlib
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "deploy" / name) for name in ("local", "bundle")]
