"""What a rank holds under full fine-tuning, by the number of ranks.

    python tests/bench/full_memory.py [--ranks 1 2 4] [--dtype fp32]

Trains a random llama of 81 million weights for one step each and prints the report that
docs/benchmarks.md keeps: what the trainer counts, and what the kernel does (PSS after the step).
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import machine
import transformers

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "trainer"))
import conftest as trainer  # noqa: E402

MIB = 2**20
CONFIG = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 12,
    "num_key_value_heads": 12,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
    return parser.parse_args()


def write_model(folder):
    config = transformers.LlamaConfig(**CONFIG)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    trainer.write_tokenizer(folder)
    return model.num_parameters()


def write_spec(folder, dtype):
    rows = [{"prompt": "where is my card", "completion": "card arrival"}] * 8
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "memory",
        "model": str(folder / "model"),
        "method": {"type": "full"},
        "data": {"train": str(folder / "train.jsonl")},
        "train": {"max_steps": 1, "global_batch_size": 8, "dtype": dtype},
        "resources": {"device": "cpu", "threads": 1},
    }
    (folder / "job.yaml").write_text(json.dumps(spec))
    return folder / "job.yaml"


def measure(spec, ranks):
    """Bytes that a rank holds by the trainer's count, and PSS over the ranks."""
    out = spec.parent / f"out-{ranks}"
    command = [str(trainer.TRAINER), str(spec), "--out", str(out)]
    done = subprocess.run(
        [*trainer.MPIRUN, "-n", str(ranks), *command], capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    (held,) = re.findall(r"each rank holds (\d+) bytes", done.stderr)
    return int(held), trainer.metrics(out)[0]["resident_bytes"] / ranks


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        count = write_model(folder / "model")
        spec = write_spec(folder, options.dtype)
        print(f"- {count} weights, {options.dtype}")
        print(f"- machine: {machine.description()}\n")
        print("| ranks | gradients and optimizer state, MiB a rank | PSS, MiB a rank |")
        print("|---|---|---|")
        for ranks in options.ranks:
            held, pss = measure(spec, ranks)
            print(f"| {ranks} | {held / MIB:.0f} | {pss / MIB:.0f} |", flush=True)


if __name__ == "__main__":
    main()
