"""A root folder that holds a few of this machine's Debian packages with what they depend on, and
nothing else: no network is needed, and what a package forgets to ask for is not there."""

import pathlib
import re
import shutil
import subprocess

MERGED = ("bin", "sbin", "lib", "lib64")  # links to what lies below usr/
BASE = ("dpkg", "dash", "coreutils", "diffutils", "libc-bin", "passwd", "tar")
INFO = pathlib.Path("/var/lib/dpkg/info")


def query(form, *names):
    command = ["dpkg-query", "-W", f"-f={form}", *names]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def names_in(field):
    """The packages of a list of dependencies, those of each item together: [[first, or…]…]"""
    items = [item for item in field.split(",") if item.strip()]
    return [[re.split(r"[ (:]", name.strip())[0] for name in item.split("|")] for item in items]


def closure(wanted):
    """`wanted` and all that they depend on, of what is installed here."""
    told = query("${Package}\t${Depends}\t${Pre-Depends}\t${Provides}\n")
    rows = [line.split("\t") for line in told.splitlines()]
    needs = {name: names_in(depends) + names_in(before) for name, depends, before, _ in rows}
    provider = {virtual[0]: row[0] for row in rows for virtual in names_in(row[3])}
    provider |= {name: name for name in needs}
    found, todo = set(), [[name] for name in wanted]
    while todo:
        alternatives = todo.pop()
        here = [provider[name] for name in alternatives if name in provider]
        assert here, f"none of {alternatives} is installed here"
        if here[0] not in found:
            found.add(here[0])
            todo += needs[here[0]]
    return found


def copy_package(name, root):
    architecture = query("${Architecture}", name)
    lists = [INFO / f"{name}.list", INFO / f"{name}:{architecture}.list"]
    (listed,) = (file for file in lists if file.exists())
    for line in listed.read_text().splitlines():
        source, target = pathlib.Path(line), root / line.lstrip("/")
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        elif source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                shutil.copy2(source, target, follow_symlinks=False)
    shutil.copy2(listed, root / "var/lib/dpkg/info")


def make_root(root, packages):
    """Makes it, with BASE and `packages` as dpkg would have left them."""
    root.mkdir()
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "dev", "proc", "tmp", "run"):
        (root / name).mkdir(parents=True)
    names = sorted(closure({*BASE, *packages}))
    for name in names:
        copy_package(name, root)
    known = subprocess.run(["dpkg-query", "-s", *names], capture_output=True, check=True).stdout
    (root / "var/lib/dpkg/status").write_bytes(known)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    if not (root / "bin/sh").is_symlink():
        (root / "bin/sh").symlink_to("dash")
    subprocess.run(["ldconfig", "-r", root], check=True)
    return root
