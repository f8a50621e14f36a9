"""The Debian packages: what is in them, and what they do where nothing else is installed."""

import json
import re
import shutil
import signal
import subprocess

import pytest
from bare_root import make_root, names_in
from commands import BIN, REPO
from programs import eventually

(SITE_PACKAGES,) = (REPO / ".deps" / "venv" / "lib").glob("python3.*/site-packages")
PROGRAMS = {
    "pmt": {"pmt"},
    "pmt-coordinator": {"pmt-coordinator"},
    "pmt-worker": {"pmt-worker", "pmt-rsh", "pmt-trainer", "pmt-adapter"},
}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{name: file}"""
    folder = tmp_path_factory.mktemp("packages")
    run("cpack", "--config", BIN.parent / "CPackConfig.cmake", "-B", folder)
    return {file.name.split("_")[0]: file for file in folder.glob("*.deb")}


def field(package, name):
    return run("dpkg-deb", "--field", package, name).strip()


def depends(package):
    """Names; of alternatives the first."""
    return {first for first, *_ in names_in(field(package, "Depends"))}


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """Nothing but what the packages ask for, and a pmt-libtorch that is empty."""
    made = tmp_path_factory.mktemp("root")
    version = field(packages["pmt-worker"], "Version")
    stub = made / "stub"
    (stub / "DEBIAN").mkdir(parents=True)
    (stub / "DEBIAN" / "control").write_text(
        f"Package: pmt-libtorch\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: a test\nDescription: stands in for one of gigabytes\n"
    )
    run("dpkg-deb", "--build", stub, made / "stub.deb")
    needed = set().union(*map(depends, packages.values())) - {"pmt-libtorch"}
    root = make_root(made / "root", needed)
    (root / "usr/lib/prefixmem").mkdir()
    run("cp", made / "stub.deb", *packages.values(), root / "tmp")
    yield root
    shutil.rmtree(made)


def lack():
    """Why no package can be installed here, or nothing."""
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return "" if subprocess.run(mount, check=False).returncode == 0 else "no mounts for this user"


needs_mounts = pytest.mark.skipif(bool(lack()), reason=lack())


def test_each_package_holds_its_programs_and_their_files(packages):
    assert set(packages) == set(PROGRAMS)
    for name, package in packages.items():
        files = set(re.findall(r" \./(\S*[^/\s])$", run("dpkg-deb", "--contents", package), re.M))
        assert {f.removeprefix("usr/bin/") for f in files if f.startswith("usr/bin/")} == (
            PROGRAMS[name]
        )
        service = name.removeprefix("pmt-")
        unit = f"usr/lib/systemd/system/{name}.service" in files
        assert unit == (f"etc/prefixmem/{service}.env" in files) == (name != "pmt")
        assert ("usr/share/prefixmem/benchmarks/bbh.yaml" in files) == (name == "pmt"), files


def entered(root, *command):
    """A command line that sees /proc in `root`, and the wheel where pmt-libtorch would have it."""
    mounts = 'mount -t proc proc "$0/proc" && mount --bind "$1" "$0/usr/lib/prefixmem" && shift'
    script = f'{mounts} && exec chroot "$@"'
    return ["unshare", "--mount", "sh", "-c", script, root, SITE_PACKAGES, *command]


@needs_mounts
def test_packages_are_installed_run_and_removed(packages, root):
    def inside(*command):
        return run(*entered(root, root, *command))

    debs = [f"/tmp/{package.name}" for package in packages.values()]
    inside("dpkg", "--install", "/tmp/stub.deb", *debs)
    account = inside("getent", "passwd", "prefixmem").split(":")
    inside("getent", "passwd", "prefixmem-job")
    for name in ("pmt", "pmt-coordinator", "pmt-worker"):
        assert inside(name, "--version").startswith(f"{name} ")
    for name in ("pmt-trainer", "pmt-adapter"):
        assert "Usage" in inside(name, "--help")
    assert "banking77" in inside("pmt", "benchmarks", "list")
    check_service(root, inside, f"{account[2]}:{account[3]}")
    inside("dpkg", "--remove", *packages)
    assert not list((root / "usr/bin").glob("pmt*"))
    assert (root / "etc/prefixmem/coordinator.env").exists(), "flags are the operator's"
    inside("dpkg", "--purge", *packages)
    assert not (root / "etc/prefixmem").exists()


def check_service(root, inside, user):
    """The coordinator serves as its account."""
    place = "/var/lib/prefixmem/coordinator"
    data = root / place.lstrip("/")
    assert data.stat().st_mode & 0o777 == 0o700
    ports = ["--listen=127.0.0.1:0", "--http=127.0.0.1:0", f"--ready-file={place}/ready"]
    program = ["pmt-coordinator", f"--data-dir={place}", *ports]
    coordinator = subprocess.Popen(entered(root, f"--userspec={user}", root, *program))
    try:
        ready = eventually(lambda: (data / "ready").exists() and data / "ready", 30, "it serves")
        address = json.loads(ready.read_text())["grpc"]
        assert inside("pmt", "--server", address, "health") == f"{address} takes calls\n"
        coordinator.send_signal(signal.SIGTERM)
        assert coordinator.wait(10) == 0
    finally:
        coordinator.kill()
        coordinator.wait()
