"""pip installs it; the client half loads without torch; the types are there."""

import importlib.metadata
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = REPO / "clients" / "python"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
LEFT_OUT = shutil.ignore_patterns("*_pb2*", "made_from", "build", "*.egg-info", "__pycache__")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where `pip install` puts it, from a copy of what the repository tracks."""
    folder = tmp_path_factory.mktemp("install")
    shutil.copytree(REPO / "proto", folder / "proto")
    source = folder / "clients" / "python"
    shutil.copytree(PACKAGE, source, ignore=LEFT_OUT)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, *offline, "--target", folder / "site", source)
    return folder / "site"


def python(installed, code):
    return run(sys.executable, "-c", code, env={"PYTHONPATH": str(installed)}, cwd=installed)


def test_the_client_loads_without_torch(installed):
    code = "import prefixmem, sys; print(prefixmem.Client.__module__, 'torch' in sys.modules)"
    assert python(installed, code) == "prefixmem.client.client False\n"


def test_every_name_is_there(installed):
    code = "import prefixmem; print([getattr(prefixmem, n).__name__ for n in prefixmem.__all__])"
    names = python(installed, code)
    assert "'Client'" in names and "'apply'" in names and "'verify'" in names


def test_what_is_installed(installed):
    have = {str(f.relative_to(installed)) for f in installed.rglob("*") if f.suffix != ".pyc"}
    package = {f for f in have if f.startswith("prefixmem/")}
    sources = {str(f.relative_to(PACKAGE)) for f in (PACKAGE / "prefixmem").rglob("*.py")}
    assert sources | {"prefixmem/py.typed", "prefixmem/_proto/job_pb2.pyi"} <= package
    assert {f.split("/")[0].split("-")[0] for f in have} == {"prefixmem"}, "no other top-level name"


def test_a_source_archive_stands_alone(tmp_path):
    """`pip wheel` from the archive, away from the repository, makes the stubs again."""
    source = tmp_path / "repo" / "clients" / "python"
    shutil.copytree(REPO / "proto", tmp_path / "repo" / "proto")
    shutil.copytree(PACKAGE, source, ignore=LEFT_OUT)
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", tmp_path, cwd=source)
    (archive,) = tmp_path.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, *offline, "--wheel-dir", tmp_path / "wheels", archive)
    (wheel,) = (tmp_path / "wheels").glob("prefixmem-*.whl")
    listed = run(sys.executable, "-m", "zipfile", "--list", wheel)
    assert "prefixmem/_proto/job_service_pb2_grpc.py" in listed


def test_requirements_are_those_of_the_stubs():
    """What generated code asks for when it is imported, and the tool that the build asks for."""
    needs = {re.match(r"[\w-]+", d)[0]: d for d in PROJECT["dependencies"]}
    made = PACKAGE / "prefixmem" / "_proto"
    protobuf = re.search(r"# Protobuf Python Version: (\S+)", (made / "job_pb2.py").read_text())[1]
    grpc = re.search(
        r"GRPC_GENERATED_VERSION = '(\S+)'", (made / "job_service_pb2_grpc.py").read_text()
    )[1]
    assert needs["protobuf"] == f"protobuf>={protobuf}"
    assert needs["grpcio"] == f"grpcio>={grpc}"
    assert grpc == importlib.metadata.version("grpcio-tools")


def test_one_version():
    text = (PACKAGE / "prefixmem" / "__init__.py").read_text()
    assert f'__version__ = "{PROJECT["version"]}"' in text
    cmake = (REPO / "CMakeLists.txt").read_text()
    assert f"VERSION {PROJECT['version']} " in cmake
