"""What training reaches on a GPU, on random weights in real shapes that are made here.

    tests/gpu/bench.py [--only speed,paper,bank] [--device cuda] [--work FOLDER] [--out FOLDER]

speed: Llama-3.1-8B's shape, LoRA of rank 16 and PrefixMemory on ragged rows, tokens/s and the share
of the best matmul rate at 4N operations a token. paper: LLaMA2-7B's shape, steps/s of PrefixMemory
against LoRA and Prefix-Tuning. bank: eight few-shot trials in one gang against one after another.
PREFIXMEM_BUILD names the build folder. `--shapes tiny --device cpu` tries the program itself; only
real shapes on a GPU have bars.
"""

import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "trainer"))

import harness
import matmul
import random_weights
import torch
from character_tokenizer import VOCAB, write_tokenizer
from harness import Check, Figure, Table

LORA = {"type": "lora", "r": 16, "alpha": 32, "target_modules": ["all-linear"]}
METHODS = {
    "PrefixMemory": {"type": "prefix_memory"},
    "LoRA": LORA,
    "Prefix-Tuning": {"type": "prefix_tuning", "num_virtual_tokens": 20},
}
WARM_UP = 3  # steps that are not timed
TRIALS = 8
LETTERS = [token for token in VOCAB if len(token) == 1 and token.isalpha()]


def ragged_rows(file, count, shortest, longest):
    """Rows of random letters, a token each, of which a quarter is the completion."""
    draw = random.Random(0)
    with file.open("w") as out:
        for _ in range(count):
            text = "".join(draw.choices(LETTERS, k=draw.randint(shortest, longest)))
            cut = len(text) * 3 // 4
            out.write(json.dumps({"prompt": text[:cut], "completion": text[cut:]}) + "\n")
    return file


def matmul_rate(device):
    """The best of large products in bf16, in operations a second."""
    sizes = (4096, 8192) if device == "cuda" else (1024,)
    return 1e9 * max(matmul.rate(torch.bfloat16, n, n, n, device) for n in sizes)


class Lab:
    """Models, rows and runs in one folder."""

    def __init__(self, options):
        self.options, self.real = options, options.shapes == "real"
        self.folder = pathlib.Path(options.work or tempfile.mkdtemp()).absolute()

    def model(self, name):
        """(folder, shape)"""
        name = name if self.real else "tiny"
        folder = self.folder / name
        shape = random_weights.write(name, folder, self.options.device)
        write_tokenizer(folder)
        return folder, shape

    def rows(self, count, shortest, longest):
        if not self.real:
            count, shortest, longest = count // 4, shortest // 8, longest // 8
        name = f"rows-{count}-{shortest}-{longest}.jsonl"
        return ragged_rows(self.folder / name, count, shortest, longest)

    def spec(self, name, model, rows, method, **train):
        spec = {
            "name": name,
            "model": str(model),
            "method": method,
            "data": {"train": str(rows), "format": "prompt_completion"},
            "train": {"dtype": "bf16", "learning_rate": 1e-4, "output": "none", **train},
            "resources": {"device": self.options.device},
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        return file

    def run(self, *arguments):
        """Seconds of a run of pmt-trainer, its start and its model's load included."""
        command = [harness.build_folder() / "bin" / "pmt-trainer", *arguments]
        start = time.monotonic()
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-3000:]}")
        return time.monotonic() - start

    def out(self, name):
        return self.folder / f"out-{name}-{os.getpid()}"

    def steps(self, name, *job, **train):
        """The steps of a run, as metrics.jsonl has them."""
        spec, out = self.spec(name, *job, **train), self.out(name)
        self.run(spec, "--out", out)
        return read_steps(out)

    def bar(self, value):
        return value if self.real and self.options.device == "cuda" else None


def read_steps(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def rate(steps, key):
    """Of a second of the median step."""
    timed = steps[WARM_UP:]
    return statistics.median(step[key] / step["step_seconds"] for step in timed)


def operations(shape, steps):
    """A second, at 4N a token; of lm_head at the labels alone."""
    maps = sum(out * into for out, into in random_weights.layer_maps(shape).values())
    head = shape["vocab_size"] * shape["hidden_size"]
    layers = 4 * maps * shape["num_hidden_layers"] * rate(steps, "tokens")
    return layers + 4 * head * rate(steps, "label_tokens")


def stays(name, steps):
    """Of random weights and rows there is little to learn in a few steps."""
    first, last = steps[0]["loss"], steps[-1]["loss"]
    text = f"{name}: the loss is {first:.3f}, and {last:.3f} in the end (allowed 10 % more)"
    return Check(text, math.isfinite(last) and last < 1.1 * first)


def speed(lab, best):
    model, shape = lab.model("llama-3.1-8b")
    rows = lab.rows(256, 128, 1536)
    train = {"max_steps": lab.options.steps, "global_batch_size": 16, "micro_batch_tokens": 16384}
    table = []
    for name, bar in (("LoRA", 15000), ("PrefixMemory", 18000)):
        steps = lab.steps(f"speed-{name.lower()}", model, rows, METHODS[name], **train)
        tokens, share = rate(steps, "tokens"), operations(shape, steps) / best
        yield stays(name, steps)
        yield Figure(f"Llama-3.1-8B's shape, {name}, tokens", tokens, lab.bar(bar), "/s")
        yield Figure(f"share of the matmul rate at 4N, {name}", share, lab.bar(0.55), "")
        memory = max(step.get("device_bytes", 0) for step in steps) / 2**30
        table.append(
            [name, f"{tokens:.0f}", f"{share:.2f}", f"{memory:.1f}", f"{steps[-1]['loss']:.3f}"]
        )
    yield Table(["method", "tokens/s", "share", "GPU memory (GiB)", "last loss"], table)


def paper(lab, best):
    del best
    model, _ = lab.model("llama2-7b")
    rows = lab.rows(256, 256, 768)
    train = {"max_steps": lab.options.steps, "global_batch_size": 16, "micro_batch_tokens": 16384}
    rates = {}
    for name, method in METHODS.items():
        steps = lab.steps(f"paper-{name.lower()}", model, rows, method, **train)
        rates[name] = 1 / statistics.median(step["step_seconds"] for step in steps[WARM_UP:])
        yield stays(name, steps)
        yield Figure(f"LLaMA2-7B's shape, {name}, steps", rates[name], unit="/s")
    for other, bar in (("LoRA", 1.18), ("Prefix-Tuning", 1.54)):
        ratio = rates["PrefixMemory"] / rates[other]
        yield Figure(f"PrefixMemory's steps over {other}'s", ratio, lab.bar(bar))


def bank(lab, best):
    """Trials of one row of about 512 tokens a step, each with a learning rate of its own."""
    del best
    model, _ = lab.model("llama2-7b")
    rows = lab.rows(32, 496, 528)
    specs = []
    for i in range(TRIALS):
        method = list(METHODS.values())[i % len(METHODS)]
        train = {"max_steps": lab.options.steps, "global_batch_size": 1, "micro_batch_tokens": 8192}
        name = f"trial-{i}"
        specs.append(
            lab.spec(name, model, rows, method, **train | {"learning_rate": 1e-4 * (i + 1)})
        )
    alone = [lab.run(spec, "--out", lab.out(spec.stem)) for spec in specs]
    trials = [{"spec": str(s), "out": str(lab.out(f"bank-{s.stem}"))} for s in specs]
    file = lab.folder / "bank.json"
    file.write_text(json.dumps({"trials": trials}))
    together = lab.run("--bank", file)
    for spec in specs:
        ours, solo = (read_steps(lab.out(name)) for name in (f"bank-{spec.stem}", spec.stem))
        first = abs(ours[0]["loss"] - solo[0]["loss"]) / solo[0]["loss"]
        yield Check(
            f"{spec.stem}: the first loss is within {first:.1e} of the job alone", first < 1e-2
        )
    detail = f"{together:.1f} s together, {sum(alone):.1f} s one after another"
    yield Figure(f"{TRIALS} trials in one gang", sum(alone) / together, lab.bar(4), detail=detail)
    seconds = {
        "in one gang": [read_steps(lab.out(f"bank-{s.stem}")) for s in specs[:1]],
        "alone, all of them": [read_steps(lab.out(s.stem)) for s in specs],
    }
    for name, runs in seconds.items():
        each = sum(statistics.median(s["step_seconds"] for s in run[WARM_UP:]) for run in runs)
        yield Figure(f"a step of every trial, {name}", 1000 * each, unit=" ms")


PARTS = {"speed": speed, "paper": paper, "bank": bank}


def bench(options):
    lab, best = Lab(options), matmul_rate(options.device)
    yield Figure("best matmul in bf16", best / 1e12, unit=" TFLOP/s")
    for name in options.only.split(","):
        yield from PARTS[name](lab, best)


if __name__ == "__main__":
    harness.main(
        "gpu", bench, __doc__, only=",".join(PARTS), shapes="real", device="cuda", steps=20, work=""
    )
