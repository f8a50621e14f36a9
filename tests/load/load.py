#!/usr/bin/env python3
"""Measures how a real coordinator bears 1,000 workers, 100,000 queued jobs and 200 watchers.

usage: load.py [--out FOLDER] [options of coordinator_load]

Starts a coordinator, loads it (coordinator_load), kills it with its queue and starts it again.
Prints a table and each bar; load.json and load.svg go to FOLDER. Fails where an event or a job was
lost, or a bar is not met.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "deploy" / "local"))

from cluster import Cluster  # noqa: E402
from programs import build_folder, stop_on_signals  # noqa: E402

MIB = 1 << 20
# What the longest queue must keep: (name, unit, bar, how to read it).
BARS = (
    ("submit p99", "ms", 50, lambda r: r["submit"]["p99"] * 1e3),
    ("dispatch p99", "ms", 1000, lambda r: r["dispatch"]["p99"] * 1e3),
    ("watch delay p99", "ms", 1000, lambda r: r["watch"]["p99"] * 1e3),
    ("memory", "MiB", 1024, lambda r: r["resident_bytes"] / MIB),
    ("restart", "s", 10, lambda r: r["restart_seconds"]),
)


def load(cluster, options):
    """What coordinator_load says at each length of the queue, and whether nothing was lost."""
    command = [
        build_folder() / "tests" / "coordinator_load",
        f"--server={cluster.server}",
        f"--pid={cluster.coordinator.pid}",
        *options,
    ]
    records = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            records.append(json.loads(line))
            print(f"load: {records[-1]['queued']} queued: measured", file=sys.stderr, flush=True)
    return records, process.returncode == 0


def queued(cluster):
    """Whether jobs wait."""
    done = cluster.pmt("list", "--state", "queued", "--limit", "1", "-o", "json")
    return bool(done.code == 0 and done.json["jobs"])


def restart_seconds(cluster):
    """From a SIGKILL until the queue is served again."""
    cluster.coordinator.kill()
    started = time.monotonic()
    cluster.restart_coordinator()
    if not queued(cluster):
        sys.exit(f"the queue is gone after a restart\n{cluster.coordinator.tail()}")
    return time.monotonic() - started


def table(records):
    columns = ["submit p50 / p99", "dispatch p50 / p99", "watch p50 / p99", "CPU a dispatch"]
    yield f"| queued | {' | '.join(columns)} | memory |"
    yield "|---|---|---|---|---|---|"
    for r in records:
        spans = [
            f"{r[k]['p50'] * 1e3:.1f} / {r[k]['p99'] * 1e3:.1f} ms"
            for k in ("submit", "dispatch", "watch")
        ]
        cpu = f"{r['cpu_seconds_per_dispatch'] * 1e3:.2f} ms"
        memory = f"{r['resident_bytes'] / MIB:.0f} MiB"
        yield f"| {r['queued']:,} | {' | '.join(spans)} | {cpu} | {memory} |"


def plot(records):
    """An SVG: CPU time a dispatch over the length of the queue, each step of which is a factor."""
    width, height, left, bottom = 420, 220, 60, 40
    most = max(r["cpu_seconds_per_dispatch"] for r in records) * 1.2
    points = [
        (
            left + (width - left - 30) * i / max(len(records) - 1, 1),
            (height - bottom) * (1 - r["cpu_seconds_per_dispatch"] / most),
        )
        for i, r in enumerate(records)
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        f'<path d="M{left} 0V{height - bottom}H{width}" fill="none" stroke="#222"/>',
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" '
        'fill="none" stroke="#2f7d4f"/>',
        f'<text x="{(left + width) / 2}" y="{height - 6}" text-anchor="middle">queued jobs</text>',
    ]
    for (x, y), r in zip(points, records, strict=True):
        told = f"{r['cpu_seconds_per_dispatch'] * 1e3:.2f} ms"
        for at, text in ((height - bottom + 16, f"{r['queued']:,}"), (y - 6, told)):
            parts.append(f'<text x="{x:.1f}" y="{at:.1f}" text-anchor="middle">{text}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path, default=build_folder() / "load")
    parser.add_argument("--without-bars", action="store_true", help="only what must not be lost")
    args, options = parser.parse_known_args()
    stop_on_signals()
    with Cluster() as cluster:
        # All clients come from one address; what one may ask is not what is measured.
        cluster.start_coordinator(max_calls_per_second=100_000)
        records, whole = load(cluster, options)
        if not records:
            sys.exit(f"nothing was measured\n{cluster.coordinator.tail()}")
        records[-1]["restart_seconds"] = restart_seconds(cluster)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "load.json").write_text(json.dumps(records, indent=1) + "\n")
    (args.out / "load.svg").write_text(plot(records))
    print("\n".join(table(records)))
    last = records[-1]
    print(
        f"{last['workers']} workers, {last['events_per_second']:.0f} events and "
        f"{last['dispatches_per_second']:.0f} dispatches a second; {last['followed_to_end']} jobs "
        f"watched to their end, {last['gaps']} gaps in their events"
    )
    missed = []
    for name, unit, bar, read in BARS:
        value = read(last)
        print(f"{name}: {value:.1f} {unit} (bar: at most {bar})")
        if value > bar:
            missed.append(name)
    if not whole:
        sys.exit("something was lost, refused or cut off: see load.json")
    if missed and not args.without_bars:
        sys.exit(f"not met: {', '.join(missed)}")


if __name__ == "__main__":
    main()
