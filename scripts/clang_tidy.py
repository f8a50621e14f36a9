#!/usr/bin/env python3
"""Runs clang-tidy over our own sources of a build folder and remembers what passed.

usage: clang_tidy.py BUILD [FILE ...] [--jobs N] [--no-cache] [--times]

A source is skipped when it passed before with the same content, the same content of every header
of ours that it reaches, the same generated code, compile command, .clang-tidy, pinned packages and
Debian packages. What passed is kept as empty files, named by that hash, in the user's cache beside
ccache's (~/.cache/prefixmem/clang-tidy), so that a second clone has it too.

Most of a source's time goes into the headers that it shares with its neighbours, so those of a
folder are checked as one text. Where a text does not pass, its halves are checked: two sources may
use one name for two things. What is found in a source alone counts.
"""

import argparse
import concurrent.futures
import hashlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("common", "coordinator", "worker", "client", "tests")
MOST_TOGETHER = 8
ANY_INCLUDE = re.compile(rb'^\s*#\s*include\s*([<"][^>"]+[>"])', re.M)
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)
SHORT_NAME = re.compile(rb"^using (?:[\w:]+::)?(\w+);|^namespace (\w+) =", re.M)
# Options that g++ knows and clang does not, and CMake's precompiled headers.
DROPPED = re.compile(
    r"-fpch-preprocess|-fopenmp|-Winvalid-pch|-fno-omit-frame-pointer|-fsanitize=.*|-Wno-unknown-warning-option"
    r"|-fconcepts.*|-fdiagnostics-.*|-g1|-Werror.*|--param=.*|-ffile-prefix-map=.*"
)
# What only warns about the insides of g++ 12's library, or about g++'s own options.
QUIET = ["-Wno-deprecated-declarations", "-Wno-unknown-warning-option"]
DROPPED_WITH_VALUE = {"-o", "-MF", "-MT", "-MQ"}
# LibTorch's headers take clang longer than ten of our sources, GoogleTest's as long as one, so it
# reads them once, as a module: (name, how a source names them, what is in the module).
LIBRARIES = (
    (
        "torch",
        re.compile(rb"^\s*#\s*include\s*<(ATen|torch)/", re.M),
        ("ATen/ATen.h", "torch/autograd.h", "torch/types.h", "torch/utils.h"),
    ),
    ("googletest", re.compile(rb"^\s*#\s*include\s*<(gtest|gmock)/", re.M), ("gmock/gmock.h",)),
)


# What cmake/Unity.cmake writes.
UNITED = re.compile(r'^#include "([^"]+\.cc)"$', re.M)


def entries_of(database):
    """The compile command of each source, also of those that are compiled together."""
    for entry in json.loads(database.read_text()):
        file = entry["file"]
        if "/unity/" not in file:
            yield entry
            continue
        for name in UNITED.findall(Path(file).read_text()):
            source = str(ROOT / name)
            yield entry | {"file": source, "command": entry["command"].replace(file, source)}


def arguments_for_clang(entry):
    """The compile command without compiler, launcher, output and g++-only options."""
    words = entry.get("arguments") or shlex.split(entry["command"])
    compiler = re.compile(r"(\+\+|g?cc|clang)(-\d+)?$")
    start = next(i for i, w in enumerate(words) if compiler.search(w) and "=" not in w)
    kept, skip = [], 0
    rest = words[start + 1 :]
    for at, word in enumerate(rest):
        if skip:
            skip -= 1
        elif word in DROPPED_WITH_VALUE or (
            word == "-include" and at + 1 < len(rest) and "cmake_pch" in rest[at + 1]
        ):
            skip = 1
        elif not (
            DROPPED.fullmatch(word) or word in ("-c", "-MD", "-MMD") or word.endswith(entry["file"])
        ):
            kept.append(word)
    return kept


@cache
def content(path):
    return Path(path).read_bytes()


@cache
def includes(path, places):
    """Headers of ours and generated ones that `path` names in quotes, resolved."""
    found = []
    for name in INCLUDE.findall(content(path)):
        for place in (Path(path).parent, *map(Path, places)):
            candidate = place / name.decode()
            if candidate.is_file():
                found.append(str(candidate.resolve()))
                break
    return found


def reached(path, places):
    """`path` and every quoted header that it reaches, in a fixed order."""
    seen, todo = set(), [str(path)]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += includes(at, places)
    return sorted(seen)


def libraries_of(texts):
    """Name and headers of a module of what the texts include; none where they include nothing."""
    used = [(name, wanted) for name, uses, wanted in LIBRARIES if any(map(uses.search, texts))]
    return "_".join(name for name, _ in used), [h for _, wanted in used for h in wanted]


def module_of(name, wanted, arguments, build):
    """Options that make these headers a module, kept and reused under the build folder."""
    places = [after for word, after in itertools.pairwise(arguments) if word == "-isystem"]
    headers = [
        str(next(p for place in [*places, "/usr/include"] if (p := Path(place) / h).is_file()))
        for h in wanted
    ]
    folder = build / "clang-tidy"
    folder.mkdir(exist_ok=True)
    module_map = folder / f"{name}.modulemap"
    text = "\n  ".join([f"module {name} {{", *(f'header "{h}"' for h in headers), "export *\n}\n"])
    if not module_map.is_file() or module_map.read_text() != text:
        module_map.write_text(text)
    # Imported first, so that the library headers of which it has copies are not parsed again.
    return [
        "-include",
        headers[0],
        "-fmodules",
        "-fno-implicit-module-maps",
        f"-fmodule-map-file={module_map}",
        f"-fmodules-cache-path={folder}",
    ]


def environment_hash():
    """Hash of everything that is the same for all sources of a run."""
    digest = hashlib.sha256()
    for name in (
        ".clang-tidy",
        "requirements/lock.txt",
        "requirements/debian.txt",
        "scripts/clang_tidy.py",
    ):
        digest.update((ROOT / name).read_bytes())
    packages = [
        w for w in (ROOT / "requirements/debian.txt").read_text().splitlines() if w and w[0] != "#"
    ]
    versions = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${Version}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    digest.update(versions.stdout.encode())
    return digest.hexdigest()


def places_of(build):
    """Where a header in quotes is looked for, after the folder of who names it."""
    return str(ROOT), str(build / "proto_gen")


def key_of(entry, environment, build):
    arguments = arguments_for_clang(entry)
    digest = hashlib.sha256(environment.encode())
    portable = " ".join(arguments).replace(str(build), "BUILD").replace(str(ROOT), "ROOT")
    digest.update(portable.encode())
    for path in reached(entry["file"], places_of(build)):
        digest.update(hashlib.sha256(content(path)).digest())
    return digest.hexdigest()


def texts_of(path, build):
    """Of a source and of every header of ours that it reaches."""
    return [content(p) for p in reached(path, places_of(build))]


def command_of(entry, tidy, build, group=None):
    """clang-tidy's command line for a source, or for the text `group` of it and its like."""
    arguments = arguments_for_clang(entry)
    command = [tidy, "--quiet", f"--config-file={ROOT}/.clang-tidy"]
    if group:
        command.append("--checks=-readability-duplicate-include")
    command += [group or entry["file"], "--"]
    name, headers = libraries_of(texts_of(entry["file"], build))
    if headers:
        command += module_of(name, headers, arguments, build)
    return [*command, *arguments, "-Wthread-safety", *QUIET]


def includes_twice(path):
    found = ANY_INCLUDE.findall(content(path))
    return len(found) > len(set(found))


def names_in_vain(path):
    """Whether a name that is made short here may be used by nobody, but by its neighbours."""
    text = content(path)
    words = Counter(re.findall(rb"\w+", re.sub(rb"//.*", b"", text)))
    names = [using or alias for using, alias in SHORT_NAME.findall(text)]
    return any(words[name] < 2 for name in names)


def groups_of(entries, build):
    """Lists of sources that may be checked as one text: same folder, options and libraries."""
    alike, groups = defaultdict(list), []
    for path, entry in entries.items():
        if includes_twice(path) or names_in_vain(path):  # which nobody sees in a longer text
            groups.append([path])
            continue
        libraries, _ = libraries_of(texts_of(path, build))
        options = tuple(arguments_for_clang(entry))
        alike[Path(path).parent, options, libraries].append(path)
    for paths in alike.values():
        groups += [paths[i : i + MOST_TOGETHER] for i in range(0, len(paths), MOST_TOGETHER)]
    return sorted(groups, key=len, reverse=True)


def write_group(paths, number, build):
    """A file with the sources one after another."""
    file = build / "clang-tidy" / f"group-{number}.cc"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\n".join(map(content, paths)))
    return str(file)


def check(command, folder):
    """(passed, text, seconds) of one command, run in `folder`."""
    started = time.monotonic()
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    noise = re.compile(
        r"\d+ warnings? (generated|treated as errors?)\.?|Suppressed .*|Use -header-filter.*"
    )
    text = "\n".join(
        line
        for line in (run.stdout + run.stderr).splitlines()
        if line.strip() and not noise.match(line)
    )
    return run.returncode == 0, text, time.monotonic() - started


def results(entries, tidy, build, jobs):
    """(sources, passed, text, seconds) of each text, and of each half of one that failed."""
    runs, numbers = {}, itertools.count()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:

        def start(paths):
            group = write_group(paths, next(numbers), build) if len(paths) > 1 else None
            command = command_of(entries[paths[0]], tidy, build, group)
            runs[pool.submit(check, command, entries[paths[0]]["directory"])] = paths

        for paths in groups_of(entries, build):
            start(paths)
        while runs:
            done, _ = concurrent.futures.wait(runs, return_when=concurrent.futures.FIRST_COMPLETED)
            for run in done:
                paths = runs.pop(run)
                passed, text, seconds = run.result()
                yield paths, passed, text, seconds
                if not passed and len(paths) > 1:
                    middle = len(paths) // 2
                    start(paths[:middle])
                    start(paths[middle:])


def user_cache():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def ours(entry):
    path = Path(entry["file"])
    return (
        path.is_relative_to(ROOT)
        and path.relative_to(ROOT).parts[0] in FOLDERS
        and path.suffix == ".cc"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=Path)
    parser.add_argument("files", nargs="*", type=Path, help="only these sources")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--no-cache", action="store_true", help="check even what passed before")
    parser.add_argument(
        "--times", action="store_true", help="print the seconds that each source took"
    )
    args = parser.parse_intermixed_args()

    build = args.build.resolve()
    database = build / "compile_commands.json"
    if not database.is_file():
        sys.exit(f"clang-tidy: {database} is missing; run 'make configure' first.")
    entries = {e["file"]: e for e in entries_of(database) if ours(e)}
    if args.files:
        wanted = {str(f.resolve()) for f in args.files}
        entries = {path: e for path, e in entries.items() if path in wanted}
    tidy = str(ROOT / ".deps/venv/bin/clang-tidy")
    cache_folder = user_cache() / "prefixmem" / "clang-tidy"
    cache_folder.mkdir(parents=True, exist_ok=True)
    environment = environment_hash()
    keys = {path: key_of(e, environment, build) for path, e in entries.items()}
    todo = {
        p: e for p, e in entries.items() if args.no_cache or not (cache_folder / keys[p]).exists()
    }
    failed = 0
    for paths, passed, text, seconds in results(todo, tidy, build, args.jobs):
        if args.times:
            names = " ".join(str(Path(p).relative_to(ROOT)) for p in paths)
            print(f"{seconds:6.1f} s  {names}", flush=True)
        if passed:
            for path in paths:
                (cache_folder / keys[path]).touch()
        elif len(paths) == 1:
            failed += 1
            print(text or f"{paths[0]}: clang-tidy failed without a word", flush=True)
    skipped = len(entries) - len(todo)
    print(f"clang-tidy: {skipped} unchanged, {len(todo) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
