"""The Debian packages and the bundle of them: what is in them, and what they do where nothing else
is installed and no network is there."""

import importlib.metadata
import json
import re
import shutil
import signal
import subprocess
import tarfile

import bundle
import pytest
from bare_root import build_package, make_package, make_root
from commands import BIN, REPO
from debian import field
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


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory):
    """The folder that the bundle unpacks to; its pmt-libtorch is empty."""
    made = tmp_path_factory.mktemp("bundle")
    own, debian = made / "own", made / "debian"
    for file in packages.values():
        own.mkdir(exist_ok=True)
        shutil.copy(file, own)
    control = made / "pmt-libtorch" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    version = f"{importlib.metadata.version('torch')}-1"
    assert f"pmt-libtorch (= {version})" in field(packages["pmt-worker"], "Depends")
    control.write_text(
        f"Package: pmt-libtorch\nVersion: {version}\n"
        "Architecture: amd64\nMaintainer: a test\nDescription: stands in for one of gigabytes\n"
    )
    build_package(made / "pmt-libtorch", own)
    debian.mkdir()
    for name in bundle.needed(bundle.packages_in(own)):
        make_package(name, debian)
    bundle.main(["--out", str(made), "--packages", str(own), "--debian", str(debian)])
    (archive,) = made.glob("*.tar")
    with tarfile.open(archive) as tar:
        tar.extractall(made, filter="data")
    yield made / archive.stem
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def root(unpacked, tmp_path_factory):
    """What every Debian system has, and the bundle in its /tmp."""
    made = tmp_path_factory.mktemp("root")
    root = make_root(made / "root")
    (root / "usr/lib/prefixmem").mkdir()
    shutil.copytree(unpacked, root / "tmp" / "bundle")
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
        listed = run("dpkg-deb", "--contents", package)
        files = set(re.findall(r" \./(\S*[^/\s])$", listed, re.M))
        assert set(re.findall(r"^(\S+) root/root .*\.env$", listed, re.M)) <= {"-rw-------"}
        assert {f.removeprefix("usr/bin/") for f in files if f.startswith("usr/bin/")} == (
            PROGRAMS[name]
        )
        service = name.removeprefix("pmt-")
        unit = f"usr/lib/systemd/system/{name}.service" in files
        assert unit == (f"etc/prefixmem/{service}.env" in files) == (name != "pmt")
        assert ("usr/share/prefixmem/benchmarks/bbh.yaml" in files) == (name == "pmt"), files


def test_the_bundle_is_whole(unpacked, packages):
    listed = dict(
        reversed(line.split("  ")) for line in (unpacked / "SHA256SUMS").read_text().splitlines()
    )
    held = {str(f.relative_to(unpacked)): f for f in unpacked.rglob("*") if f.is_file()}
    assert set(listed) == set(held) - {"SHA256SUMS"}
    assert {name: bundle.sha256(held[name]) for name in listed} == listed
    assert {f"packages/{file.name}" for file in packages.values()} <= set(held)
    assert {"systemd/pmt-worker.service", "docs/deploy.md", "install.sh"} <= set(held)
    of_wheels = [re.fullmatch(r"python/prefixmem-(.*?)-.*-any\.whl", name) for name in held]
    assert [found[1] for found in of_wheels if found] == [field(packages["pmt"], "Version")]


def entered(root, *command, network=True):
    """A command line that sees /proc in `root`, and the wheel where pmt-libtorch would have it."""
    mounts = 'mount -t proc proc "$0/proc" && mount --bind "$1" "$0/usr/lib/prefixmem" && shift'
    script = f'{mounts} && exec chroot "$@"'
    apart = ["--mount"] if network else ["--mount", "--net"]
    return ["unshare", *apart, "sh", "-c", script, root, SITE_PACKAGES, *command]


@needs_mounts
def test_a_changed_byte_is_refused(root):
    def install(*packages):
        command = entered(root, root, "/tmp/bundle/install.sh", *packages)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def refused(what):
        done = install("pmt")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "install.sh: nothing was installed, for of the bundle's files these are damaged or "
            f"missing: {what}\n"
        )

    file = next((root / "tmp/bundle/packages").glob("pmt_*.deb"))
    name = f"packages/{file.name}"
    whole = file.read_bytes()
    at = len(whole) // 2
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(name)
    page = root / "tmp/bundle/docs/README.md"
    page.rename(root / "tmp/page")
    refused(f"docs/README.md,{name}")
    (root / "tmp/page").rename(page)
    file.write_bytes(whole)
    sums = root / "tmp/bundle/SHA256SUMS"
    sums.rename(root / "tmp/sums")
    refused("SHA256SUMS")
    (root / "tmp/sums").rename(sums)
    assert (
        "package is pmt-web; allowed: pmt, pmt-coordinator, pmt-worker" in install("pmt-web").stderr
    )
    assert not list((root / "usr/bin").glob("pmt*"))


@needs_mounts
def test_packages_are_installed_run_and_removed(packages, root):
    def inside(*command, **where):
        return run(*entered(root, root, *command, **where))

    told = inside("/tmp/bundle/install.sh", *packages, network=False)
    assert "Unpacking pmt-libtorch " in told
    account = inside("getent", "passwd", "prefixmem").split(":")
    inside("getent", "passwd", "prefixmem-job")
    for name in ("pmt", "pmt-coordinator", "pmt-worker"):
        assert inside(name, "--version") == f"{name} {field(packages[name], 'Version')}\n"
    for name in ("pmt-trainer", "pmt-adapter"):
        assert "Usage" in inside(name, "--help")
    assert "banking77" in inside("pmt", "benchmarks", "list")

    status = root / "var/lib/dpkg/status"
    version = field(packages["pmt"], "Version")
    status.write_text(status.read_text().replace(f"Version: {version}\n", "Version: 99\n"))
    assert inside("dpkg-query", "-W", "-f=${Version}", "pmt-worker") == "99"
    told = inside("/tmp/bundle/install.sh", *packages, network=False)
    assert "Unpacking pmt-worker " in told and "Unpacking pmt-libtorch " not in told
    for name in packages:
        assert inside("dpkg-query", "-W", "-f=${Version}", name) == version, "it goes back too"
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
