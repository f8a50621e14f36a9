"""Puts all that a host without network needs into one tar file with checksums.

The project's packages, those of Debian that they need and a host may lack, the wheel of the Python
client, the units and the pages; install.sh, which is in it, installs from it.
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from debian import base, candidates, closure, field, names_in

REPO = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns("*_pb2*", "made_from", "build", "*.egg-info", "__pycache__")


def run(*command, **options):
    subprocess.run(command, check=True, **options)


def make_packages(build, folder):
    """LibTorch's takes half a minute and 8 GB meanwhile."""
    cpack = ["cpack", "--config", build / "CPackConfig.cmake", "-B", folder]
    for more in ([], ["-D", "CPACK_COMPONENTS_ALL=libtorch"]):
        run(*cpack, *more, stdout=subprocess.DEVNULL)


def packages_in(folder):
    """{package: its file}"""
    packages = {}
    for file in sorted(folder.glob("*.deb")):
        other = packages.setdefault(field(file, "Package"), file)
        if other != file:
            raise LookupError(f"{other} and {file.name} are one package; allowed: one of them")
    return packages


def needed(packages):
    """Names of Debian's packages that those need and a system may lack."""
    asked = [names_in(field(file, "Depends")) for file in packages.values()]
    names = {first for items in asked for first, *_ in items}
    return closure(names - set(packages)) - base()


def fetched(names, folder):
    """{package: its file}, each as apt would install it now; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    current = candidates(names)
    for file in folder.glob("*.deb"):
        if sha256(file) not in current.values():
            file.unlink()
    if missing := sorted(names - set(packages_in(folder))):
        apt = ["apt-get", "--quiet=2", "-o", "APT::Sandbox::User=root"]
        run(*apt, "download", *missing, cwd=folder)
    return packages_in(folder)


def given(names, folder):
    """The same of a folder that has them all."""
    packages = packages_in(folder)
    if missing := sorted(names - set(packages)):
        raise LookupError(f"{folder} lacks {', '.join(missing)}")
    return {name: packages[name] for name in names}


def make_wheel(folder, version):
    """Of a copy, since the build leaves files beside the sources; `version` says the commit too."""
    with tempfile.TemporaryDirectory() as copy:
        source = pathlib.Path(copy, "clients", "python")
        shutil.copytree(REPO / "proto", pathlib.Path(copy, "proto"))
        shutil.copytree(REPO / "clients" / "python", source, ignore=LEFT_OUT)
        for file, name in (("pyproject.toml", "version"), ("prefixmem/__init__.py", "__version__")):
            text = (source / file).read_text()
            line = rf'^{name} = ".*"$'
            told, lines = re.subn(line, f'{name} = "{version}"', text, flags=re.MULTILINE)
            if lines != 1:
                raise LookupError(f"{file} has {lines} lines like {line}; allowed: one")
            (source / file).write_text(told)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
        run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source)


def sha256(file):
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def fill(folder, files, version):
    """The bundle's folder, `files` being its packages."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for file in files:
        shutil.copy(file, packages)
    with (packages / "Packages").open("wb") as index:
        run("dpkg-scanpackages", ".", stdout=index, stderr=subprocess.DEVNULL, cwd=packages)
    make_wheel(folder / "python", version)
    shutil.copytree(REPO / "deploy" / "systemd", folder / "systemd")
    shutil.copytree(REPO / "docs", folder / "docs")
    shutil.copy(REPO / "deploy" / "bundle" / "install.sh", folder)
    held = sorted(file for file in folder.rglob("*") if file.is_file())
    sums = [f"{sha256(file)}  {file.relative_to(folder)}\n" for file in held]
    (folder / "SHA256SUMS").write_text("".join(sums))


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=REPO / "build", help="build folder")
    parser.add_argument(
        "--out", type=pathlib.Path, help="where to put it; BUILD/bundle unless given"
    )
    parser.add_argument(
        "--packages", type=pathlib.Path, help="the project's; else made of the build"
    )
    parser.add_argument(
        "--debian", type=pathlib.Path, help="Debian's packages; else fetched to OUT/debian"
    )
    return parser.parse_args(words)


def main(words=None):
    options = parse(words)
    out = options.out or options.build / "bundle"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as work:
        own = options.packages or pathlib.Path(work, "own")
        if not options.packages:
            make_packages(options.build, own)
        packages = packages_in(own)
        names = needed(packages)
        debian = given(names, options.debian) if options.debian else fetched(names, out / "debian")
        version, architecture = (
            field(packages["pmt"], name) for name in ("Version", "Architecture")
        )
        folder = pathlib.Path(work, f"prefixmem-{version}-{architecture}")
        fill(folder, [*packages.values(), *debian.values()], version)
        for earlier in out.glob(f"prefixmem-*-{architecture}.tar"):  # of gigabytes
            earlier.unlink()
        bundle = out / f"{folder.name}.tar"
        owner = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"]
        run("tar", *owner, "-C", work, "-cf", bundle, folder.name)
    print(f"{bundle}: {bundle.stat().st_size} bytes, sha256 {sha256(bundle)}")


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, LookupError) as error:
        sys.exit(f"bundle.py: {error}")
