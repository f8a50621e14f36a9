"""Trains the same model on the same rows with Hugging Face PEFT and with pmt-trainer, in turn.

    python tests/bench/vs_peft.py --model DIR [--data train.jsonl] [--markdown FILE]

PEFT runs as its users run it: sdpa, padded batches, bf16 and fp32. Both sides start from the same
initial LoRA adapter and see the same batches, so their losses must agree.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import rows as row_order

REPO = pathlib.Path(__file__).resolve().parents[2]
PROMPT = "Classify the banking request.\nRequest: {text}\nIntent:"
COMPLETION = " {label}"
WARM_UP = 3  # steps not timed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default=default_data())
    parser.add_argument("--trainer", default=str(build_dir() / "bin" / "pmt-trainer"))
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="file for the table")
    parser.add_argument("--peft-worker", metavar="DTYPE", help=argparse.SUPPRESS)
    parser.add_argument("--adapter", help=argparse.SUPPRESS)
    return parser.parse_args()


def build_dir():
    return pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))


def default_data():
    mirror = pathlib.Path(os.environ.get("PREFIXMEM_DATA", REPO.parent / "shared" / "data"))
    banking = mirror / "banking77" / "train.jsonl"
    return str(banking if banking.exists() else REPO / "tests" / "data" / "intents" / "train.jsonl")


# ---- PEFT's side, in a process of its own --------------------------------------------------------


def encode(tokenizer, examples):
    out = []
    for row in examples:
        prompt = tokenizer(PROMPT.format(text=row["text"]))["input_ids"]
        answer = tokenizer(COMPLETION.format(label=row["label"]), add_special_tokens=False)
        out.append((prompt, answer["input_ids"] + [tokenizer.eos_token_id]))
    return out


def padded(torch, batch, pad):
    longest = max(len(prompt) + len(answer) for prompt, answer in batch)
    ids = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), -100)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for i, (prompt, answer) in enumerate(batch):
        length = len(prompt) + len(answer)
        ids[i, :length] = torch.tensor(prompt + answer)
        labels[i, len(prompt) : length] = torch.tensor(answer)
        mask[i, :length] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def peft_worker(args):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if args.peft_worker == "bf16" else torch.float32
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype, attn_implementation="sdpa")
    model = PeftModel.from_pretrained(base, args.adapter, is_trainable=True)
    model.train()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    chosen = row_order.few_shot(row_order.read(args.data), 1, 0)
    examples = encode(tokenizer, chosen)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0)
    steps = []
    for indices in row_order.batches(len(examples), args.batch, 0, args.steps):
        start = time.perf_counter()
        batch = [examples[i] for i in indices]
        loss = model(**padded(torch, batch, tokenizer.pad_token_id or 0)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        steps.append(
            {
                "loss": loss.item(),
                "step_seconds": time.perf_counter() - start,
                "tokens": sum(len(p) + len(a) - 1 for p, a in batch),
                "rows": len(batch),
            }
        )
    json.dump(steps, sys.stdout)


# ---- both sides, measured alike ------------------------------------------------------------------


def measured(command, **options):
    """Runs a command; gives its stdout and its peak resident bytes."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{errors.read()[-3000:]}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def run_peft(args, dtype, adapter):
    command = [sys.executable, __file__, "--peft-worker", dtype, "--adapter", str(adapter)]
    for name in ("model", "data", "steps", "batch", "rate", "threads"):
        command += [f"--{name}", str(getattr(args, name))]
    text, peak = measured(command)
    return json.loads(text), peak


def spec(args, method, dtype, **train):
    return {
        "name": "bench",
        "model": args.model,
        "method": method,
        "data": {
            "train": args.data,
            "format": "text_label",
            "template": PROMPT,
            "completion": COMPLETION,
            "few_shot": {"per_class": 1, "seed": 0},
        },
        "train": {
            "max_steps": args.steps,
            "global_batch_size": args.batch,
            "learning_rate": args.rate,
            "dtype": dtype,
            **train,
        },
        "resources": {"device": "cpu", "threads": args.threads},
    }


def run_trainer(args, folder, method, dtype, **train):
    file = folder / "spec.yaml"
    file.write_text(json.dumps(spec(args, method, dtype, **train)))
    out = pathlib.Path(tempfile.mkdtemp(dir=folder))
    _, peak = measured([args.trainer, str(file), "--out", str(out)])
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    chosen = len(row_order.few_shot(row_order.read(args.data), 1, 0))
    for step, indices in zip(steps, row_order.batches(chosen, args.batch, 0, args.steps)):
        step["rows"] = len(indices)
    return steps, peak, out


LORA = {"type": "lora", "r": 8, "alpha": 16, "target_modules": ["all-linear"]}


def contestants(args, folder, adapter):
    runs = {}
    for dtype in ("bf16", "fp32"):
        runs[f"PEFT LoRA, {dtype}"] = lambda d=dtype: run_peft(args, d, adapter)
        runs[f"pmt-trainer LoRA, {dtype}"] = lambda d=dtype: run_trainer(args, folder, LORA, d)[:2]
        runs[f"pmt-trainer PrefixMemory, {dtype}"] = lambda d=dtype: run_trainer(
            args, folder, {"type": "prefix_memory"}, d
        )[:2]
    return runs


def summary(steps, peak):
    timed = steps[WARM_UP:]
    seconds = sum(step["step_seconds"] for step in timed)
    return {
        "tokens/s": sum(step["tokens"] for step in timed) / seconds,
        "examples/s": sum(step["rows"] for step in timed) / seconds,
        "peak MiB": peak / 2**20,
        "first loss": steps[0]["loss"],
        "last loss": steps[-1]["loss"],
        "losses": [step["loss"] for step in steps],
    }


def check_losses(results):
    for dtype, limit in (("fp32", 1e-4), ("bf16", 2e-2)):
        theirs, ours = results[f"PEFT LoRA, {dtype}"][0], results[f"pmt-trainer LoRA, {dtype}"][0]
        worst = max(
            abs(a - b) / max(1, abs(a)) for a, b in zip(theirs["losses"][:10], ours["losses"][:10])
        )
        verdict = "agree" if worst <= limit else "DO NOT AGREE"
        yield f"LoRA losses {verdict} in {dtype}: largest difference over 10 steps {worst:.1e}"


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return "unknown CPU"


def report(args, results):
    commit = subprocess.run(
        ["git", "-C", str(REPO), "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
    yield (
        f"{pathlib.Path(args.model).name}, {pathlib.Path(args.data).parent.name} one row a class, "
        f"batch {args.batch}, {args.steps} steps, {args.threads} threads; {cpu_name()}, "
        f"{os.cpu_count()} cores; {datetime.date.today()}, commit {commit}. "
        f"Median of {args.rounds} rounds run in turn; the first {WARM_UP} steps are not timed."
    )
    yield ""
    yield "| run | tokens/s | examples/s | peak memory (MiB) | first loss | last loss |"
    yield "|---|---|---|---|---|---|"
    for name, rounds in results.items():
        middle = {k: statistics.median(r[k] for r in rounds) for k in rounds[0] if k != "losses"}
        yield (
            f"| {name} | {middle['tokens/s']:.0f} | {middle['examples/s']:.2f} | "
            f"{middle['peak MiB']:.0f} | {middle['first loss']:.4f} | {middle['last loss']:.4f} |"
        )
    yield ""
    yield from check_losses(results)


def main():
    args = arguments()
    if args.peft_worker:
        return peft_worker(args)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # One step at rate 0 (warm-up) leaves the initial adapter as it is.
        start = {"max_steps": 1, "warmup_steps": 1}
        initial = run_trainer(args, folder, LORA, "fp32", **start)[2]
        results = {}
        for i in range(args.rounds):
            for name, run in contestants(args, folder, initial / "adapter").items():
                results.setdefault(name, []).append(summary(*run()))
                print(
                    f"round {i + 1}: {name}: {results[name][-1]['tokens/s']:.0f} tokens/s",
                    flush=True,
                )
    text = "\n".join(report(args, results))
    print(text)
    if args.markdown:
        pathlib.Path(args.markdown).write_text(text + "\n")
    sys.exit("DO NOT AGREE" in text)


if __name__ == "__main__":
    main()
