"""Processes by descent, as /proc tells it."""

import pathlib
from typing import NamedTuple


class Process(NamedTuple):
    """A process for good: its number may come again, with another start time it is another one."""

    pid: int
    started: str
    command: str


def stat(pid):
    """(state, parent, start time) or None when the process is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rsplit(")", 1)[1].split()
    return fields[0], int(fields[1]), fields[19]


def command(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return " ".join(word.decode(errors="replace") for word in words if word)


def descendants(root):
    """Every living process below `root`, however deep."""
    children = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit() and (found := stat(folder.name)) and found[0] != "Z":
            children.setdefault(found[1], []).append((int(folder.name), found[2]))
    below, todo = [], [root]
    while todo:
        for pid, started in children.get(todo.pop(), []):
            below.append(Process(pid, started, command(pid)))
            todo.append(pid)
    return below


def alive(process):
    found = stat(process.pid)
    return found is not None and found[0] != "Z" and found[2] == process.started


def open_files(pid):
    """What the process's descriptors are of, as the kernel names it."""
    try:
        return [str(link.readlink()) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def listening_ports(pid):
    """The TCP ports that a process listens on."""
    sockets, ports = set(open_files(pid)), set()
    for table in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            return set()
        for fields in map(str.split, lines):
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def listening_port(pid):
    """The TCP port that a process listens on; None while there is none."""
    return next(iter(listening_ports(pid)), None)
