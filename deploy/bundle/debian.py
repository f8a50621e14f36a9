"""What Debian packages depend on, as the packages that are installed on this machine say."""

import re
import subprocess


def query(form, *names):
    command = ["dpkg-query", "-W", f"-f={form}", *names]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def field(package, name):
    """Of a .deb file; empty where it has none of that name."""
    command = ["dpkg-deb", "--field", package, name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def names_in(depends):
    """The packages of a list of dependencies, those of each item together: [[first, or…]…]"""
    items = [item for item in depends.split(",") if item.strip()]
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
        if not here:
            raise LookupError(f"none of {alternatives} is installed on this machine")
        if here[0] not in found:
            found.add(here[0])
            todo += needs[here[0]]
    return found


def candidates(names):
    """{package: sha256} of what apt would install of each."""
    command = ["apt-cache", "show", "--no-all-versions", *sorted(names)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records = [
        dict(re.findall(r"^(Package|SHA256): (\S+)$", record, re.MULTILINE))
        for record in told.split("\n\n")
    ]
    return {record["Package"]: record["SHA256"] for record in records if record}


def base():
    """What every Debian system has: the packages that it requires, with what those depend on."""
    rows = [line.split("\t") for line in query("${Package}\t${Priority}\n").splitlines()]
    return closure(name for name, priority in rows if priority == "required")
