"""scripts/lint_proto.py on good and bad files."""

import pathlib
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
GOOD = """syntax = "proto3";
package shop.v1;
// A thing.
message Thing {
  string long_name = 1;
  map<string, string> labels = 2;
}
// Its state.
enum ThingState {
  THING_STATE_UNSPECIFIED = 0;
  THING_STATE_SOLD = 1;
}
// Sells.
service ShopService {
  // Sells one.
  rpc Sell(Thing) returns (Thing);
}
"""


def lint(root, text, path="shop/v1/shop.proto"):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, REPO / "scripts/lint_proto.py", "--root", root, file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def finding(root, old, new, path="shop/v1/shop.proto"):
    """The only finding after one replacement in the good file."""
    assert old in GOOD
    run = lint(root, GOOD.replace(old, new), path)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    return line.split(": ", 1)[1]


def test_good_file_passes(tmp_path):
    run = lint(tmp_path, GOOD)
    assert (run.returncode, run.stderr) == (0, "")


def test_field_case(tmp_path):
    assert "'Thing.longName' is not lower_snake_case" in finding(tmp_path, "long_name", "longName")


def test_missing_comment(tmp_path):
    assert finding(tmp_path, "// A thing.\n", "") == "message 'Thing' has no comment"


def test_enum_zero(tmp_path):
    found = finding(tmp_path, "THING_STATE_UNSPECIFIED", "THING_STATE_NEW")
    assert found.endswith("is not THING_STATE_UNSPECIFIED = 0")


def test_enum_prefix(tmp_path):
    assert "value 'SOLD' is not" in finding(tmp_path, "THING_STATE_SOLD", "SOLD")


def test_service_suffix(tmp_path):
    assert "does not end in 'Service'" in finding(tmp_path, "ShopService", "Shop")


def test_package_is_the_folder(tmp_path):
    assert "is not the folder" in finding(tmp_path, "package shop.v1", "package stall.v1")


def test_package_has_a_version(tmp_path):
    found = finding(tmp_path, "package shop.v1", "package shop", "shop/shop.proto")
    assert "does not end in a version" in found
