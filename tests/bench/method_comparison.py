"""Rows in the form of PEFT's method-comparison suite, of its MetaMathQA task on GSM8K.

    python tests/bench/method_comparison.py [--steps 500] [--test_rows 300]

PEFT's suite trains one adapter after another on the same rows and leaves a file of results of
each, which its viewer reads. This trains PrefixMemory, LoRA and Prefix-Tuning, one after another
on the same machine, on GSM8K's training rows under that task's prompt, batch, schedule, decay and
clipping, and scores answers that are written out for test rows. The files come to
OUT/method_comparison/.

On a CPU its fields of accelerator memory have what the process holds. There is no validation while
training.
"""

import datetime
import hashlib
import json
import math
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

import harness
import machine
import runs
import torch
from harness import Check, Table

BATCH = 4
EVERY = 250  # steps of an entry of metrics
TEMPLATE = "Question: {text} Think step by step.\nAnswer:"
# That suite's settings of LoRA and Prefix-Tuning; PrefixMemory as it is unless told otherwise.
METHODS = {
    "prefix_memory/gemma-3-270m-elu": ({"type": "prefix_memory"}, 1e-3),
    "lora/gemma-3-270m-rank32": (
        {"type": "lora", "r": 32, "alpha": 64, "target_modules": ["q_proj", "v_proj"]},
        1e-4,
    ),
    "prefixtuning/gemma-3-270m-tokens200": (
        {"type": "prefix_tuning", "num_virtual_tokens": 200},
        1e-3,
    ),
}


def gsm8k():
    """The folder with train.jsonl and test.jsonl that `pmt benchmarks prepare gsm8k` fills."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    folder = cache / "prefixmem" / "benchmarks" / "gsm8k"
    if not (folder / "test.jsonl").exists():
        sys.exit(f"{folder}/test.jsonl is not there; run: pmt benchmarks prepare gsm8k")
    return folder


def spec_of(options, method, rate):
    return {
        "name": "comparison",
        "model": str(options.model),
        "method": method,
        "data": {
            "train": str(gsm8k() / "train.jsonl"),
            "eval": str(gsm8k() / "test.jsonl"),
            "format": "prompt_completion",
            "template": TEMPLATE,
            "max_tokens": 768,
            "overflow": "drop",
        },
        "train": {
            "max_steps": options.steps,
            "global_batch_size": BATCH,
            "learning_rate": rate,
            "schedule": "cosine",
            "weight_decay": 0.1,
            "max_grad_norm": 1.0,
            "dtype": "bf16",
        },
        "eval": {
            "mode": "generate",
            "metric": "math_answer",
            "max_new_tokens": 300,
            "max_rows": options.test_rows,
            "stop": ["\nQuestion:"],
        },
        "resources": {"device": "cpu", "threads": options.threads},
    }


def entry(steps):
    """What the suite says of some steps that follow each other."""
    seconds = sum(one["step_seconds"] for one in steps)
    return {
        "step": steps[-1]["step"],
        "train loss": statistics.fmean(one["loss"] for one in steps),
        "train samples": steps[-1]["step"] * BATCH,
        "train time": seconds,
        "tokens / sec": sum(one["tokens"] for one in steps) / seconds,
        "mem allocated avg": statistics.fmean(one["resident_bytes"] for one in steps),
    }


def train_info(steps, result, adapter, base):
    memory = sorted(one["resident_bytes"] for one in steps)
    entries = [entry(steps[i : i + EVERY]) for i in range(0, len(steps), EVERY)]
    (test,) = result["evals"]
    return {
        "accelerator_memory_reserved_avg": statistics.fmean(memory),
        "accelerator_memory_max": memory[-1],
        "accelerator_memory_reserved_99th": memory[int(0.99 * (len(memory) - 1))],
        "train_time": sum(one["step_seconds"] for one in steps),
        "file_size": (adapter / "adapter_model.safetensors").stat().st_size,
        "num_trainable_params": result["trainable_parameters"],
        "num_total_params": base + result["trainable_parameters"],
        "status": "success",
        "metrics": [
            *entries,
            {
                "step": steps[-1]["step"],
                "test accuracy": test["value"],
                "train loss": entries[-1]["train loss"],
                "train samples": entries[-1]["train samples"],
                "train total tokens": sum(one["tokens"] for one in steps),
            },
        ],
    }


def weights_in(model):
    """How many the model's files hold, by their headers."""
    count = 0
    for path in model.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        count += sum(math.prod(tensor["shape"]) for tensor in header.values())
    return count


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def meta_info(options):
    made = json.loads((options.model / "made.json").read_text())
    rows = {path.name: sha256(path) for path in sorted(gsm8k().glob("*.jsonl"))}
    return {
        "model_info": {"sha": made["files"]["model.safetensors"]["sha256"]},
        "dataset_info": {"gsm8k": rows},
        "package_info": {"prefixmem-commit": harness.commit(), "torch-version": torch.__version__},
        "system_info": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "processor": machine.description(),
            "accelerator": "none",
        },
        "pytorch_info": torch.__config__.show(),
    }


def compared(options, name, folder):
    """Trains one method; its file's content."""
    method, rate = METHODS[name]
    begun = datetime.datetime.now(datetime.UTC)
    start = time.monotonic()
    spec = spec_of(options, method, rate)
    out, _ = runs.train([], spec, folder)
    seconds = time.monotonic() - start
    steps = runs.trainer.metrics(out)
    result = json.loads((out / "result.json").read_text())
    return {
        "run_info": {
            "created_at": begun.isoformat(timespec="seconds"),
            "total_time": seconds,
            "experiment_name": name,
            "peft_branch": "",
            "train_config": {
                "model_id": f"google/{options.model.name}",
                "dtype": "bfloat16",
                "max_seq_length": spec["data"]["max_tokens"],
                "batch_size": BATCH,
                "max_steps": options.steps,
                "query_template": TEMPLATE.replace("{text}", "{query}"),
                "seed": 0,
                "grad_norm_clip": spec["train"]["max_grad_norm"],
                "optimizer_type": "AdamW",
                "optimizer_kwargs": {"lr": rate, "weight_decay": spec["train"]["weight_decay"]},
                "lr_scheduler": spec["train"]["schedule"],
                "generation_kwargs": {"max_new_tokens": spec["eval"]["max_new_tokens"]},
            },
            "peft_config": json.loads((out / "adapter" / "adapter_config.json").read_text()),
            "error_msg": "",
        },
        "train_info": train_info(steps, result, out / "adapter", weights_in(options.model)),
        "meta_info": meta_info(options),
    }


def row(content):
    info, trained = content["run_info"], content["train_info"]
    last, test = trained["metrics"][-2:]
    return [
        info["experiment_name"],
        f"{test['test accuracy']:.1%}",
        f"{test['train loss']:.3f}",
        f"{trained['train_time']:.0f}",
        f"{info['total_time']:.0f}",
        f"{last['tokens / sec']:.0f}",
        f"{trained['accelerator_memory_max'] / 2**20:.0f}",
        f"{trained['file_size'] / 2**20:.2f}",
        f"{trained['num_trainable_params']:,}",
    ]


def bench(options):
    out = options.out / "method_comparison"
    out.mkdir(exist_ok=True)
    lines, losses = [], []
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        for name in METHODS:
            content = compared(options, name, folder)
            file = out / f"{name.replace('/', '--')}.json"
            file.write_text(json.dumps(content, indent=2) + "\n")
            lines.append(row(content))
            harness.say(" ".join(lines[-1]))
            losses += [one["train loss"] for one in content["train_info"]["metrics"]]
    yield Check("every loss is a number", all(math.isfinite(loss) for loss in losses))
    heading = ["experiment", "test accuracy", "train loss", "train, s", "in all, s", "tokens/s"]
    yield Table([*heading, "memory, MiB", "file, MiB", "trained"], lines)


if __name__ == "__main__":
    harness.main("method_comparison", bench, __doc__, steps=500, test_rows=300)
