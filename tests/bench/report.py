"""From the steps of each run to a table, the ratios that count and the check of the losses."""

import datetime
import pathlib
import statistics
import subprocess

import machine

WARM_UP = 3  # steps not timed
COMPARED = 10  # steps whose losses must agree
LIMITS = {"fp32": 1e-4, "bf16": 2e-2}


def summary(steps, peak, rows):
    seconds = sum(step["step_seconds"] for step in steps[WARM_UP:])
    return {
        "tokens/s": sum(step["tokens"] for step in steps[WARM_UP:]) / seconds,
        "examples/s": sum(rows[WARM_UP:]) / seconds,
        "peak MiB": peak / 2**20,
        "losses": [step["loss"] for step in steps],
        "tokens": [step["tokens"] for step in steps],
    }


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def table(results):
    yield "| run | tokens/s | examples/s | peak memory (MiB) | first loss | last loss |"
    yield "|---|---|---|---|---|---|"
    for name, rounds in results.items():
        losses = rounds[0]["losses"]
        yield (
            f"| {name} | {median(rounds, 'tokens/s'):.0f} | {median(rounds, 'examples/s'):.2f} | "
            f"{median(rounds, 'peak MiB'):.0f} | {losses[0]:.4f} | {losses[-1]:.4f} |"
        )


def fastest(results, prefix):
    runs = {n: median(r, "tokens/s") for n, r in results.items() if n.startswith(prefix)}
    return max(runs.items(), key=lambda run: run[1])


def ratios(results):
    peft, peft_rate = fastest(results, "PEFT LoRA")
    for prefix in ("pmt-trainer LoRA", "pmt-trainer PrefixMemory"):
        name, rate = fastest(results, prefix)
        yield f"- {name} runs at {rate / peft_rate:.2f} times the speed of {peft}"


def check_losses(results):
    """(line, whether they agree) for each dtype."""
    for dtype, limit in LIMITS.items():
        theirs = results[f"PEFT LoRA, {dtype}"][0]
        ours = results[f"pmt-trainer LoRA, {dtype}"][0]
        pairs = list(zip(theirs["losses"], ours["losses"]))[:COMPARED]
        worst = max(abs(a - b) / max(1, abs(a)) for a, b in pairs)
        agree = worst <= limit and theirs["tokens"] == ours["tokens"]
        verdict = "agree" if agree else "DO NOT AGREE"
        yield (
            f"- LoRA losses {verdict} in {dtype}: largest relative difference over "
            f"{len(pairs)} steps {worst:.1e}, allowed {limit:.0e}",
            agree,
        )


def commit():
    command = ["git", "-C", pathlib.Path(__file__).parent, "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def heading(args):
    yield (
        f"{datetime.date.today()}, commit {commit()}: {pathlib.Path(args.model).name}, "
        f"{pathlib.Path(args.data).parent.name} one row a class, batch {args.batch}, "
        f"{args.steps} steps, one process with {args.threads} threads; median of {args.rounds} "
        f"rounds run in turn, the first {WARM_UP} steps of each not timed. "
        "A token is one input of the model; padding does not count."
    )


def write(args, results):
    """(the report as Markdown, whether all losses agree)"""
    checks = list(check_losses(results))
    lines = [
        *heading(args),
        "",
        *machine.lines(args.threads),
        *ratios(results),
        *(line for line, _ in checks),
        "",
        *table(results),
    ]
    return "\n".join(lines) + "\n", all(agree for _, agree in checks)
