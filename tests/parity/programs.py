"""pmt-trainer and decoder_probe as these tests run them."""

import json
import os
import pathlib
import subprocess
import tempfile

from safetensors.torch import load_file

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))


def run(program, *arguments, text=None):
    assert program.exists(), f"{program} is not built; PREFIXMEM_BUILD names the build folder"
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def ask(model, rows, **question):
    """The tensors that decoder_probe answers for rows of ids, or of (ids, prompt tokens)."""
    rows = [row if isinstance(row, tuple) else (row, 0) for row in rows]
    question["rows"] = [{"ids": ids, "prompt": prompt} for ids, prompt in rows]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "answer.safetensors"
        run(BUILD / "tests" / "decoder_probe", model, out, text=json.dumps(question, default=str))
        return load_file(out)


def train(model, texts, method, out, **settings):
    """A job of full-batch steps in fp32 on (prompt, completion) texts; `settings` are of train."""
    out.mkdir(parents=True)
    data = out / "train.jsonl"
    pairs = [{"prompt": prompt, "completion": completion} for prompt, completion in texts]
    data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    spec = {
        "name": "parity",
        "model": str(model),
        "method": method,
        "data": {"train": str(data)},
        "train": {"global_batch_size": len(texts), "dtype": "fp32", **settings},
        "resources": {"device": "cpu", "threads": 1},
    }
    (out / "job.yaml").write_text(json.dumps(spec))
    run(BUILD / "bin" / "pmt-trainer", out / "job.yaml", "--out", out)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
