"""Trains the same model on the same rows with Hugging Face PEFT and with pmt-trainer, in turn.

    python tests/bench/vs_peft.py --model DIR [--data train.jsonl] [--markdown FILE]

PEFT runs as its users run it: sdpa, padded batches, in bf16 and in fp32; the faster one counts.
Both sides start from one initial LoRA adapter and see the same batches: their losses must agree.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import prompts
import report

REPO = pathlib.Path(__file__).resolve().parents[2]
LORA = {"type": "lora", "r": 8, "alpha": 16, "target_modules": ["all-linear"]}
MEMORY = {"type": "prefix_memory"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default=default_data())
    parser.add_argument("--trainer", default=str(build_dir() / "bin" / "pmt-trainer"))
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="file for the report")
    return parser.parse_args()


def build_dir():
    return pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))


def default_data():
    """Banking77 from the mirror or from where scripts/fetch_data.py puts it, else our own rows."""
    places = [os.environ.get("PREFIXMEM_DATA"), REPO / ".deps" / "data"]
    for place in filter(None, places):
        if (file := pathlib.Path(place) / "banking77" / "train.jsonl").exists():
            return str(file)
    return str(REPO / "tests" / "data" / "intents" / "train.jsonl")


def measured(command):
    """Runs a command; its stdout and its peak resident bytes."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{errors.read()[-3000:]}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def run_peft(args, dtype, adapter):
    worker = pathlib.Path(__file__).with_name("peft_worker.py")
    command = [sys.executable, str(worker), "--dtype", dtype, "--adapter", str(adapter)]
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
            "template": prompts.PROMPT,
            "completion": prompts.COMPLETION,
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
    return steps, peak, out


def contestants(args, folder, adapter):
    """{name: a function that runs it once and gives (steps, peak bytes)}"""
    runs = {}
    for dtype in ("bf16", "fp32"):
        runs[f"PEFT LoRA, {dtype}"] = lambda d=dtype: run_peft(args, d, adapter)
        for name, method in (("LoRA", LORA), ("PrefixMemory", MEMORY)):
            runs[f"pmt-trainer {name}, {dtype}"] = lambda m=method, d=dtype: run_trainer(
                args, folder, m, d
            )[:2]
    return runs


def rows_of_steps(args):
    chosen = len(prompts.few_shot(args.data))
    return [len(batch) for batch in prompts.batches(chosen, args.batch, args.steps)]


def main():
    args = arguments()
    results, rows = {}, rows_of_steps(args)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # One step at rate 0 (warm-up) leaves the initial adapter as it is.
        initial = run_trainer(args, folder, LORA, "fp32", max_steps=1, warmup_steps=1)[2]
        for i in range(args.rounds):
            for name, run in contestants(args, folder, initial / "adapter").items():
                results.setdefault(name, []).append(report.summary(*run(), rows))
                rate = results[name][-1]["tokens/s"]
                print(f"round {i + 1}: {name}: {rate:.0f} tokens/s", flush=True)
    text, agree = report.write(args, results)
    print(text)
    if args.markdown:
        pathlib.Path(args.markdown).write_text(text)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
