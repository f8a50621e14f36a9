"""A root folder that holds what every Debian system has and nothing else, and the .deb files of
packages, both made from what is installed on this machine: no network is needed."""

import pathlib
import re
import shutil
import subprocess

from debian import base

MERGED = ("bin", "sbin", "lib", "lib64")  # links to what lies below usr/
INFO = pathlib.Path("/var/lib/dpkg/info")


def info_file(name, kind):
    """What dpkg keeps of an installed package, where it keeps that kind: list, postinst, …"""
    return next(iter([*INFO.glob(f"{name}.{kind}"), *INFO.glob(f"{name}:*.{kind}")]), None)


def copy_files(name, root):
    for line in info_file(name, "list").read_text().splitlines():
        place = line.strip("/")
        if place.split("/")[0] in MERGED:
            place = f"usr/{place}"
        source, target = pathlib.Path("/", place), root / place
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        elif source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                shutil.copy2(source, target, follow_symlinks=False)


def make_package(name, folder):
    """The .deb file that an installed package came from, but for what was changed here."""
    content = folder / name
    control = content / "DEBIAN"
    control.mkdir(parents=True)
    copy_files(name, content)
    told = subprocess.run(["dpkg-query", "-s", name], capture_output=True, text=True, check=True)
    text = re.sub(r"^(Status|Conffiles):.*\n(?: .*\n)*", "", told.stdout, flags=re.M)
    (control / "control").write_text(text)
    for kind in ("preinst", "postinst", "prerm", "postrm", "triggers"):
        if file := info_file(name, kind):
            shutil.copy2(file, control / kind)
    build_package(content, folder)
    shutil.rmtree(content)


def build_package(content, folder):
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", content, folder]
    subprocess.run(command, capture_output=True, check=True)


def make_root(root):
    """Makes it, with what every Debian system has as dpkg would have left it."""
    root.mkdir()
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "dev", "proc", "tmp", "run"):
        (root / name).mkdir(parents=True)
    names = sorted(base())
    for name in names:
        copy_files(name, root)
        for file in INFO.glob(f"{name}[.:]*"):
            shutil.copy2(file, root / "var/lib/dpkg/info")
    known = subprocess.run(["dpkg-query", "-s", *names], capture_output=True, check=True).stdout
    (root / "var/lib/dpkg/status").write_bytes(known)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    if not (root / "bin/sh").is_symlink():
        (root / "bin/sh").symlink_to("dash")
    (root / "etc/dpkg").mkdir(exist_ok=True)
    (root / "etc/dpkg/dpkg.cfg").write_text("force-unsafe-io\n")  # nobody keeps it
    subprocess.run(["ldconfig", "-r", root], check=True)
    return root
