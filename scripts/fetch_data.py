#!/usr/bin/env python3
"""Brings a data set of benchmarks/registry.yaml under .deps/data/NAME and prints that folder.

usage: fetch_data.py NAME [--out DIR]

Tried in turn: files already there, the mirror $PREFIXMEM_DATA/NAME, the public source. A file
counts only if its checksum is the registry's. Where nothing works each place tried gets one
sentence on stderr and the exit code is 1.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TRIES, TIMEOUT_S = 3, 30


class NotHere(Exception):
    """A place cannot give a file; the text is the sentence for the user."""


def banking_csv(original):
    rows = csv.DictReader(io.StringIO(original.decode("utf-8"), newline=""))
    lines = (
        {"text": row["text"].strip(), "label": row["category"].replace("_", " ")} for row in rows
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8")


CONVERTERS = {"banking_csv": banking_csv}


def download(url):
    for left in reversed(range(TRIES)):
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise NotHere(f"{url} answers {error.code} {error.reason}.") from error
        except OSError as error:  # URLError, time-outs and broken connections
            name_unknown = "resolution" in str(error) or "not known" in str(error)
            if not left or name_unknown:
                why = getattr(error, "reason", error)
                raise NotHere(f"{url} cannot be reached: {why}.") from error
            time.sleep(TRIES - left)
    raise AssertionError("unreachable")


def from_folder(folder, entry, split):
    path = folder / entry["splits"][split]["file"]
    try:
        return path.read_bytes(), path
    except OSError as error:
        raise NotHere(f"{path} cannot be read: {error.strerror}.") from error


def from_source(entry, split):
    url = entry.get("source", {}).get(split)
    if url is None:
        raise NotHere("The registry names no public source that this script can read.")
    try:
        return CONVERTERS[entry["convert"]](download(url)), url
    except (KeyError, UnicodeDecodeError, AttributeError) as error:
        raise NotHere(f"{url} is not in the expected form: {error!r}.") from error


def checked(found, want):
    body, place = found
    have = hashlib.sha256(body).hexdigest()
    if have != want:
        raise NotHere(f"{place} has the wrong checksum: {have}, the registry says {want}.")
    return body


def fetch_split(entry, split, places):
    """The checked bytes of a split from the first place that has them; NotHere with all reasons."""
    reasons = []
    for place in places:
        try:
            return checked(place(entry, split), entry["splits"][split]["sha256"])
        except NotHere as reason:
            reasons.append(str(reason))
    raise NotHere("\n".join(reasons))


def write_atomically(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(body)
    part.replace(path)


def fetch(name, entry, out, mirror):
    """Makes `out` hold every split of the entry."""
    places = [from_source]
    if mirror:
        places.insert(0, lambda e, s: from_folder(Path(mirror) / name, e, s))
    for split, facts in entry["splits"].items():
        path = out / facts["file"]
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == facts["sha256"]:
            continue
        write_atomically(path, fetch_split(entry, split, places))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--out", type=Path, help="default: .deps/data/NAME")
    parser.add_argument("--registry", type=Path, default=ROOT / "benchmarks/registry.yaml")
    args = parser.parse_args()
    registry = yaml.safe_load(args.registry.read_text(encoding="utf-8"))
    if args.name not in registry:
        sys.exit(f"No data set '{args.name}'; the registry has {', '.join(registry)}.")
    out = args.out or ROOT / ".deps/data" / args.name
    try:
        fetch(args.name, registry[args.name], out, os.environ.get("PREFIXMEM_DATA"))
    except NotHere as reasons:
        sys.exit(str(reasons))
    print(out)


if __name__ == "__main__":
    main()
