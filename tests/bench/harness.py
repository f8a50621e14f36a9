"""What every benchmark shares: its arguments, its figures against their bars, and its record.

A benchmark is a module with `bench(options)`, which yields Figures, Checks and Tables, and ends
with `harness.main(NAME, bench)`. Its record lies in --out as NAME.json, from which summary.py makes
the table and the plot of all of them.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]


def build_folder():
    return pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build")).absolute()


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number beside its bar. `bar` None: it is only told."""

    work: str
    value: float
    bar: float | None = None
    unit: str = "x"  # x: times as fast; "": a share
    at_most: bool = False  # the bar is an upper one
    detail: str = ""

    @property
    def met(self):
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclasses.dataclass(frozen=True)
class Check:
    """What must hold for the figures to count."""

    text: str
    holds: bool


@dataclasses.dataclass(frozen=True)
class Table:
    heading: list[str]
    rows: list[list[str]]

    def lines(self):
        yield f"| {' | '.join(self.heading)} |"
        yield "|" + "---|" * len(self.heading)
        for row in self.rows:
            yield f"| {' | '.join(row)} |"


def arguments(doc, settings):
    """`settings`: {option: default}; the type is the default's."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=pathlib.Path, default=REPO / ".deps/models/gemma3-270m")
    parser.add_argument("--out", type=pathlib.Path, default=build_folder() / "bench")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    for name, default in settings.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = parser.parse_args()
    options.model = options.model.absolute()
    options.out = options.out.absolute()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def commit():
    command = ["git", "-C", REPO, "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def as_text(found):
    if isinstance(found, Check):
        return f"- {found.text}"
    if isinstance(found, Table):
        return "\n".join(["", *found.lines(), ""])
    bar = "" if found.bar is None else f" (bar {found.bar:g}: {'met' if found.met else 'not met'})"
    return f"- {found.work}: {found.value:.3g}{found.unit}{bar} {found.detail}"


def say(text):
    print(text, flush=True)


def main(name, bench, doc, apart=None, **settings):
    """Runs a benchmark and writes its record; the process fails where a check does not hold.

    `apart`: a setting each value of which has a record of its own.
    """
    options, start = arguments(doc, settings), time.monotonic()
    record = {"bench": name, "figures": [], "checks": [], "tables": []}
    for found in bench(options):
        say(as_text(found))
        record[f"{type(found).__name__.lower()}s"].append(dataclasses.asdict(found))
    record |= {
        "date": str(datetime.date.today()),
        "commit": commit(),
        "seconds": round(time.monotonic() - start),
        "settings": {key: getattr(options, key) for key in (*settings, "threads")},
    }
    file = f"{name}-{getattr(options, apart)}.json" if apart else f"{name}.json"
    (options.out / file).write_text(json.dumps(record, indent=1) + "\n")
    sys.exit(0 if all(check["holds"] for check in record["checks"]) else 1)
