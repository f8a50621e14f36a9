"""Hosts on one machine: namespaces with a name, an address and mounts of their own, and the switch
that joins them, which can be told to delay frames, to lose some, and to cut a host off."""

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

from programs import Program, die_with_parent, eventually

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x0002 | 0x1000
LONGEST_FRAME = 2048
NAMESPACES = ["--net", "--uts", "--mount"]


def missing():
    """Why this machine gives no hosts; empty: it does."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun may not be opened"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "true"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip()


class Host:
    """Lives as long as the process that holds its namespaces."""

    def __init__(self, name, number):
        self.name = name
        self.address = f"10.77.0.{number}"
        holder = ["unshare", *NAMESPACES, "sh", "-c", f"hostname {name}; exec sleep infinity"]
        self.holder = subprocess.Popen(holder, preexec_fn=die_with_parent)
        eventually(lambda: self.run("hostname").strip() == name, 10, f"host {name} is not there")
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        device = f"pm{os.getpid() % 100000}x{number}"
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH", device.encode(), TAP_WITHOUT_HEADER))
        subprocess.run(["ip", "link", "set", device, "netns", str(self.holder.pid)], check=True)
        for command in (
            f"link set {device} name eth0",
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            "link set lo up",
        ):
            self.run("ip", *command.split())

    @property
    def prefix(self):
        """What a command line begins with to run here, as the same process."""
        return ["nsenter", "--target", str(self.holder.pid), *NAMESPACES, "--"]

    def run(self, *command):
        done = subprocess.run(
            [*self.prefix, *command], capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout

    def hide(self, folder):
        """Here the folder is empty from now on; whoever is elsewhere sees what is in it."""
        command = [*self.prefix, "mount", "-t", "tmpfs", "none", str(folder)]
        subprocess.run(command, check=True, timeout=30)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        os.close(self.tap)


class Network:
    """`with Network("a", "b") as network:` network.hosts["a"] is 10.77.0.1, and so on."""

    def __init__(self, *names):
        self.hosts = {name: Host(name, number) for number, name in enumerate(names, 1)}
        self.delay = 0.0  # seconds of every frame
        self.loss = 0.0  # share of the frames
        self.away = set()  # names of hosts that are cut off
        self.random = random.Random(5)
        self.waiting = []  # (due, number, tap, frame)
        self.number = 0
        self.closing = os.pipe()
        self.thread = threading.Thread(target=self.forward)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.closing[1], b"x")
        self.thread.join()
        for host in self.hosts.values():
            host.close()
        for end in self.closing:
            os.close(end)

    def cut(self, name):
        self.away.add(name)

    def mend(self, name):
        self.away.discard(name)

    def forward(self):
        names = {host.tap: name for name, host in self.hosts.items()}
        places = {}  # tap by hardware address
        poller = select.poll()
        for descriptor in (*names, self.closing[0]):
            poller.register(descriptor, select.POLLIN)
        while True:
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                self.deliver(names, *heapq.heappop(self.waiting)[2:])
            wait = (self.waiting[0][0] - now) * 1000 + 1 if self.waiting else None
            for tap, _ in poller.poll(wait):
                if tap == self.closing[0]:
                    return
                self.take(names, places, tap)

    def take(self, names, places, tap):
        while True:
            try:
                frame = os.read(tap, LONGEST_FRAME)
            except BlockingIOError:
                return
            places[frame[6:12]] = tap
            if names[tap] in self.away or self.random.random() < self.loss:
                continue
            known = places.get(frame[:6])
            for target in [known] if known is not None else [t for t in names if t != tap]:
                if not self.delay:
                    self.deliver(names, target, frame)
                    continue
                self.number += 1
                due = time.monotonic() + self.delay
                heapq.heappush(self.waiting, (due, self.number, target, frame))

    def deliver(self, names, tap, frame):
        if names[tap] in self.away:
            return
        with contextlib.suppress(BlockingIOError):  # what is too much is lost, as elsewhere
            os.write(tap, frame)


class ProgramOnHost(Program):
    """One that runs in a host's namespaces."""

    host = None

    def command(self):
        return [*self.host.prefix, *super().command()]
