"""Greedy generation with each method on, beside the base: what an adapter costs when served.

    python tests/bench/generation.py [--contexts 64,512,2048] [--batches 1,4,16] [--tokens 16]

Rows of random tokens on the real model in bf16, all methods in turn in one process
(generation_bench.cc): the first token, which reads the context, and those after it, one a row at a
time with a cache of keys and values. LoRA is not merged, as where several adapters share a base.
Beside its record it leaves generation.svg.
"""

import json
import subprocess
import sys

import curves
import harness
from harness import Check, Figure, Table

BASE = "none"
NAMES = {
    "none": "base",
    "lora": "LoRA",
    "prefix_memory": "PrefixMemory",
    "prefix_tuning": "Prefix-Tuning",
}


def measured(options):
    program = harness.build_folder() / "tests" / "generation_bench"
    command = [program, options.model, options.contexts, options.batches]
    command += [str(n) for n in (options.tokens, options.rounds, options.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def bases(lines):
    return {(one["context"], one["batch"]): one for one in lines if one["method"] == BASE}


def table(lines):
    """A row for each method, context and batch; times over the base's in parentheses."""
    base, rows = bases(lines), []
    for one in lines:
        beside = base[one["context"], one["batch"]]

        def with_ratio(key, one=one, beside=beside):
            return f"{one[key] * 1e3:.1f} ({one[key] / beside[key]:.2f}x)"

        rows.append(
            [
                str(one["context"]),
                str(one["batch"]),
                NAMES[one["method"]],
                with_ratio("first_seconds"),
                with_ratio("token_seconds"),
                f"{one['cache_bytes'] / one['batch'] / 2**20:.2f}",
                f"{one['adapter_bytes'] / 2**20:.2f}",
            ]
        )
    heading = ["context", "rows", "method", "first token, ms", "further token, ms"]
    return Table([*heading, "cache a row, MiB", "adapter, MiB"], rows)


def worst(lines, method):
    """(ratio, line) where a further token costs most over the base's."""
    base = bases(lines)
    own = [one for one in lines if one["method"] == method]

    def ratio(one):
        return one["token_seconds"] / base[one["context"], one["batch"]]["token_seconds"]

    found = max(own, key=ratio)
    return ratio(found), found


def panels(lines):
    """One for each batch: milliseconds a token by context, a line a method."""
    for batch in sorted({one["batch"] for one in lines}):
        here = [one for one in lines if one["batch"] == batch]
        yield curves.Panel(
            f"{batch} row{'s' if batch > 1 else ''} at a time",
            "tokens of context",
            "ms a further token",
            {
                name: [
                    (one["context"], one["token_seconds"] * 1e3)
                    for one in here
                    if one["method"] == method
                ]
                for method, name in NAMES.items()
            },
        )


def bench(options):
    lines = measured(options)
    for method in NAMES:
        if method == BASE:
            continue
        ratio, one = worst(lines, method)
        detail = f"at worst, with {one['context']} tokens of context, {one['batch']} rows"
        yield Figure(f"a further token over the base's, {NAMES[method]}", ratio, detail=detail)
    base = bases(lines)
    alike = all(
        one["cache_bytes"] == base[one["context"], one["batch"]]["cache_bytes"]
        for one in lines
        if one["method"] != "prefix_tuning"
    )
    yield Check("LoRA and PrefixMemory keep no more keys and values than the base", alike)
    yield table(lines)
    (options.out / "generation.svg").write_text(curves.svg(list(panels(lines))))


if __name__ == "__main__":
    settings = {"contexts": "64,512,2048", "batches": "1,4,16", "tokens": 16, "rounds": 3}
    harness.main("generation", bench, __doc__, **settings)
