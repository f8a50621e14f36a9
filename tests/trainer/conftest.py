"""Tiny models and data written by the tests, and a way to run pmt-trainer on them."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest
import torch
from character_tokenizer import VOCAB, write_tokenizer
from safetensors.torch import save_file

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))
TRAINER = BUILD / "bin" / "pmt-trainer"
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
if os.geteuid() == 0:
    MPIRUN.append("--allow-run-as-root")

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": len(VOCAB),
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}


PAIRS = [
    {"prompt": f"{who} is ", "chosen": "fine" + "!" * (i % 3), "rejected": "gone" + "?" * (i % 2)}
    for i, who in enumerate(["the card", "my pin", "the card", "a top up", "the rate", "my pin"])
]


def write_model(folder, config=CONFIG, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator) * 0.2

    hidden, heads, kv, dim = 32, 4, 2, 8
    tensors = {"model.embed_tokens.weight": random(len(VOCAB), hidden)}
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        tensors |= {
            layer + "self_attn.q_proj.weight": random(heads * dim, hidden),
            layer + "self_attn.k_proj.weight": random(kv * dim, hidden),
            layer + "self_attn.v_proj.weight": random(kv * dim, hidden),
            layer + "self_attn.o_proj.weight": random(hidden, heads * dim),
            layer + "mlp.gate_proj.weight": random(config["intermediate_size"], hidden),
            layer + "mlp.up_proj.weight": random(config["intermediate_size"], hidden),
            layer + "mlp.down_proj.weight": random(hidden, config["intermediate_size"]),
            layer + "input_layernorm.weight": 1 + random(hidden),
            layer + "post_attention_layernorm.weight": 1 + random(hidden),
        }
    tensors["model.norm.weight"] = 1 + random(hidden)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def run(command, code=0):
    """Runs a command to its end, which must have this exit code; returns what it said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stderr}"
    return done.stderr


class Workspace:
    """A folder with a tiny model, data and runs of pmt-trainer."""

    def __init__(self, folder):
        self.folder = folder
        self.model = folder / "model"
        write_model(self.model)
        self.data = folder / "train.jsonl"
        texts = [
            "where is my card",
            "card lost",
            "top up failed",
            "exchange rate",
            "my pin is blocked",
        ]
        labels = ["card", "lost", "top up", "rate", "pin"]
        rows = [
            {"text": f"{texts[i % 5]}{'?' * (i % 4)}", "label": labels[i % 5]} for i in range(23)
        ]
        self.write_rows(self.data, rows)

    @staticmethod
    def write_rows(path, rows):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def pairs(self):
        """Changes of a spec that is to train on PAIRS."""
        file = self.folder / "pairs.jsonl"
        self.write_rows(file, PAIRS)
        return {
            "data__train": str(file),
            "data__eval": str(file),
            "data__format": "preference",
            "eval__mode": "preference",
        }

    def spec(self, name="job", **changes):
        """Writes a spec; `train__seed=3` changes train.seed, None removes a key."""
        spec = {
            "name": name,
            "model": str(self.model),
            "method": {"type": "prefix_memory"},
            "data": {"train": str(self.data), "eval": str(self.data), "format": "text_label"},
            "train": {
                "max_steps": 8,
                "global_batch_size": 6,
                "micro_batch_tokens": 4096,
                "learning_rate": 0.02,
                "schedule": "linear",
                "warmup_steps": 2,
                "dtype": "fp32",
            },
            "eval": {"mode": "label_likelihood"},
            "resources": {"device": "cpu", "threads": 1},
        }
        for path, value in changes.items():
            *parents, key = path.split("__")
            node = spec
            for parent in parents:
                node = node.setdefault(parent, {})
            if value is None:
                node.pop(key, None)
            else:
                node[key] = value
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        return file

    def command(self, spec, out, ranks=1, extra=()):
        run = [str(TRAINER), str(spec), "--out", str(out), *extra]
        return run if ranks == 1 else [*MPIRUN, "-n", str(ranks), *run]

    def run(self, spec, out, ranks=1, extra=(), code=0):
        return run(self.command(spec, out, ranks, extra), code)

    def train(self, name, ranks=1, extra=(), **changes):
        """Runs to the end and returns the output folder."""
        out = self.folder / f"out-{name}"
        self.run(self.spec(name, **changes), out, ranks, extra)
        return out


def metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out):
    return [step["loss"] for step in metrics(out)]


def evals(out):
    """(step, metric, value) of each evaluation"""
    found = json.loads((out / "result.json").read_text())["evals"]
    return [(e["step"], e["metric"], e["value"]) for e in found]


def adapter_bytes(out):
    """Of the one file that holds what was trained."""
    (file,) = (out / "adapter").glob("*.safetensors")
    return file.read_bytes()


class Agent:
    """Takes the events of the ranks on a Unix socket."""

    def __init__(self, path):
        self.path = str(path)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()
        self.lines, self.connections, self.readers = [], [], []
        self.news = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.server.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            reader = threading.Thread(target=self.read, args=[connection], daemon=True)
            self.readers.append(reader)
            reader.start()

    def read(self, connection):
        for line in connection.makefile():
            self.take(json.loads(line), connection)

    def take(self, line, connection):
        with self.news:
            self.lines.append(line)
            self.news.notify_all()

    def wait_for(self, wanted):
        with self.news:
            assert self.news.wait_for(lambda: any(map(wanted, self.lines)), timeout=60)

    def close(self):
        """Once the ranks are gone: reads what they have sent."""
        for reader in self.readers:
            reader.join(timeout=60)
        self.server.close()


@pytest.fixture
def workspace(tmp_path):
    assert TRAINER.exists(), f"{TRAINER} is not built; PREFIXMEM_BUILD names the build folder"
    return Workspace(tmp_path)


sys.path.insert(0, str(pathlib.Path(__file__).parent))
