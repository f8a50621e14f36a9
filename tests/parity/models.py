"""The models of these tests, those of tiny_models and real ones, and the rows they train on."""

import dataclasses
import os
import pathlib
import random
import subprocess
import sys

import pytest
import tiny_models
import transformers

REPO = pathlib.Path(__file__).resolve().parents[2]
DATA = REPO / "tests" / "data" / "intents" / "train.jsonl"
TEXTS = [
    ("The card that I ordered last week has not arrived yet.\nIntent:", " card arrival"),
    ("Where is it?\nIntent:", " card arrival"),
    ("I've topped up 1,250.75 euros, but they're still pending.\nIntent:", " pending top up"),
    ("It'll take 3 days, won't it?\nIntent:", " transfer timing"),
    ("Карта потеряна. Что мне делать?\nIntent:", " lost or stolen card"),
    ("Why was I charged a fee for exchanging currency?\nIntent:", " exchange charge"),
]


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    folder: pathlib.Path
    rate: float = 1e-2  # of the ten steps
    loss_bar: float = 1e-5  # relative, over the ten steps
    long_row: int = 300  # tokens, more than any window
    first_of_long: int = 0  # from where its logits are compared
    texts: list = dataclasses.field(default_factory=lambda: TEXTS)  # prompt and completion

    def token_rows(self, lengths):
        """Rows for logits: text where the model was trained on some, any ids elsewhere."""
        if self.name in tiny_models.FAMILIES:
            draw, size = random.Random(0), tiny_models.SIZES["vocab_size"]
            return [[draw.randrange(size) for _ in range(length)] for length in lengths]
        ids = self.tokenizer()(DATA.read_text())["input_ids"]
        starts = [1 + 100 * i for i in range(len(lengths))]
        pairs = zip(starts, lengths, strict=True)
        return [[ids[0], *ids[start : start + length - 1]] for start, length in pairs]

    def tokenizer(self):
        return transformers.AutoTokenizer.from_pretrained(self.folder)

    def rows(self):
        """The texts as (ids, prompt tokens), by the rules that the trainer follows."""
        tokenizer = self.tokenizer()
        for prompt, completion in self.texts:
            head = tokenizer(prompt)["input_ids"]
            tail = tokenizer(completion, add_special_tokens=False)["input_ids"]
            yield [*head, *tail, tokenizer.eos_token_id], len(head)


def stories260k():
    shared = pathlib.Path(os.environ.get("PREFIXMEM_SHARED", REPO.parent / "shared"))
    folder = shared / "models" / "stories260k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; PREFIXMEM_SHARED names the folder of shared models.")
    return folder


def gemma3_270m():
    script = REPO / "scripts" / "fetch_model.py"
    done = subprocess.run([sys.executable, script, "gemma3-270m"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def make(name, folder):
    """The model of this name; a tiny one is written into `folder`."""
    if name == "stories260k":
        return Model(name, stories260k(), 1e-3)
    if name == "gemma3-270m":
        return Model(name, gemma3_270m(), 1e-4, 1e-4, 600, 590, TEXTS[:3])
    return Model(name, tiny_models.write(name, folder))


ALL = [*tiny_models.FAMILIES, "stories260k", "gemma3-270m"]
