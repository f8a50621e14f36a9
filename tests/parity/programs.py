"""pmt-trainer and decoder_probe as these tests run them."""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import tempfile

from safetensors.torch import load_file

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))


def built(*path):
    program = BUILD.joinpath(*path)
    assert program.exists(), f"{program} is not built; PREFIXMEM_BUILD names the build folder"
    return program


def run(program, *arguments):
    done = subprocess.run([built("bin", program), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@functools.cache
def decoder_probe():
    """One for all questions: most of the time of a question was the start of the program."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([built("tests", "decoder_probe")], text=True, **pipes)


def answer(question):
    """Has decoder_probe answer it."""
    probe, said = decoder_probe(), ""
    with contextlib.suppress(BrokenPipeError):  # what it said at its end is read below
        print(json.dumps(question, default=str), file=probe.stdin, flush=True)
    for line in probe.stdout:
        if line.endswith("answered\n"):
            return
        said += line
    decoder_probe.cache_clear()
    raise AssertionError(f"{question}: decoder_probe ended with {probe.wait()}: {said}")


def ask(model, rows, **question):
    """The tensors that decoder_probe answers for rows of ids, or of (ids, prompt tokens)."""
    rows = [row if isinstance(row, tuple) else (row, 0) for row in rows]
    question["rows"] = [{"ids": ids, "prompt": prompt} for ids, prompt in rows]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "answer.safetensors"
        answer({"model": model, "out": out, **question})
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
    run("pmt-trainer", out / "job.yaml", "--out", out)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
