"""Token ids, texts and chats equal those of transformers, for every model folder at hand."""

import pathlib
import random
import shutil
import subprocess
import sys

import chats
import models
import pytest
import tokenizer_folders
import transformers
from chats import CHATS, July, rendered
from transformers.utils import chat_template_utils

TEXTS = [
    "",
    " ",
    "\n",
    "a",
    " leading and trailing ",
    "two  blanks,   three\t\ttabs\r\n\r\n\n",
    "I've 1234567 reasons; you'll SEE'S them, won't you?",
    "e\u0301 é Å A\u030a ﬁ ½ ① ⅷ",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 \U0010ffff \u200b\u200d\ufeff",
    "नमस्ते สวัสดี שלום مرحبا 我的卡丢了 カード 한국어",
    "\x00\x01\x7f\x85\u2028\u00a0\u3000",
    "<|eot_id|><|im_end|> <end_of_turn>x<eos></s><s> <unk> [multimodal]",
    " topup topup\ttopup<tool_call>",
    "▁▁ ▁a<0x0A>",
    "x" * 3000,
]


def long_text():
    """100,000 characters: words in several scripts, their letters shuffled."""
    draw = random.Random(1)
    words = " ".join(tokenizer_folders.TEXT).split(" ")
    parts = []
    for _ in range(40_000):
        word = draw.choice(words)
        parts += [*draw.sample(word, len(word)), draw.choice([" ", " ", "\n", "", "  "])]
    return "".join(parts)[:100_000]


def random_texts(count):
    draw = random.Random(2)
    ranges = [(0, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)]
    return [
        "".join(chr(draw.randrange(*draw.choice(ranges))) for _ in range(draw.randrange(1, 40)))
        for _ in range(count)
    ]


def gemma3(folder):
    """The tokenizer of the real model with a chat template of its family."""
    script = chats.REPO / "scripts" / "fetch_model.py"
    fetched = subprocess.run(
        [sys.executable, script, "gemma3-270m"], check=True, capture_output=True, text=True
    )
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(pathlib.Path(fetched.stdout.strip()) / name, folder)
    (folder / "chat_template.jinja").write_text(tokenizer_folders.chat_template("gemma3"))
    return folder


def stories260k(_):
    return models.stories260k()


FOLDERS = {
    "llama2": tokenizer_folders.write_llama2,
    "mistral": tokenizer_folders.write_mistral,
    "llama3": tokenizer_folders.write_llama3,
    "qwen2": tokenizer_folders.write_qwen2,
    "gemma3": gemma3,
    "stories260k": stories260k,
}


REFUSED = {
    "llama2": {"parts", "twice", "empty"},
    "mistral": {"parts", "strange", "twice", "empty"},
    "llama3": {"empty"},
    "qwen2": {"strange", "empty"},
    "gemma3": {"twice", "empty"},
}


class Pair:
    """The same folder in our hands and in those of transformers."""

    def __init__(self, folder):
        self.folder = folder
        self.reference = transformers.AutoTokenizer.from_pretrained(folder)

    def ask(self, questions):
        return chats.ask(self.folder, questions)


@pytest.fixture(scope="module", params=FOLDERS)
def pair(request, tmp_path_factory):
    return Pair(FOLDERS[request.param](tmp_path_factory.mktemp("tokenizer") / request.param))


@pytest.mark.parametrize("special", [True, False], ids=["special", "plain"])
def test_token_ids(pair, special):
    texts = [*TEXTS, *random_texts(200), long_text()]
    answers = pair.ask([{"encode": text, "special": special} for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        expected = pair.reference(text, add_special_tokens=special)["input_ids"]
        assert answer.get("ids") == expected, (text[:100], answer.get("error"))


@pytest.mark.parametrize("special", [True, False], ids=["special", "plain"])
def test_texts(pair, special):
    draw = random.Random(3)
    size = len(pair.reference)
    rows = [[], [0], [1], [2], [size - 1], [size + 5, 3]]
    rows += [[draw.randrange(size) for _ in range(draw.randrange(1, 40))] for _ in range(200)]
    rows += [pair.reference(text)["input_ids"] for text in TEXTS]
    answers = pair.ask([{"decode": row, "special": special} for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        expected = pair.reference.decode(row, skip_special_tokens=not special)
        assert answer.get("text") == expected, (row, answer.get("error"))


def test_eos(pair):
    assert pair.ask([{"eos": None}]) == [{"ids": [pair.reference.eos_token_id]}]


@pytest.mark.parametrize("name", CHATS)
def test_chats(pair, name, monkeypatch):
    monkeypatch.setattr(chat_template_utils, "datetime", July)
    answers = pair.ask([{"chat": CHATS[name], "prompt": prompt} for prompt in (True, False)])
    for prompt, answer in zip((True, False), answers, strict=True):
        expected = rendered(pair.reference, CHATS[name], prompt)
        assert chats.same(answer, expected), (answer, expected)


def test_chats_are_rendered_at_all(pair):
    """Each template renders what its family knows, so that test_chats compares texts too."""
    if pair.folder.name == "stories260k":
        assert all(rendered(pair.reference, chat, True) is None for chat in CHATS.values())
        return
    refused = {name for name, chat in CHATS.items() if rendered(pair.reference, chat, True) is None}
    assert refused == REFUSED[pair.folder.name]
