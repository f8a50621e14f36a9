"""Chat templates render byte for byte as transformers renders them.

Three kinds: those of chat_templates/ in the manner of the families, those that the installed TRL
carries for its models, and one line for each construct that such templates are made of.
"""

import pathlib

import chats
import pytest
import tokenizer_folders
import transformers
import trl
from transformers.utils import chat_template_utils

OWN = pathlib.Path(__file__).parent / "chat_templates"
PUBLISHED = pathlib.Path(trl.__file__).parent / "chat_templates"
TEMPLATES = {f"own-{path.stem}": path for path in sorted(OWN.glob("*.jinja"))}
TEMPLATES |= {path.stem: path for path in sorted(PUBLISHED.glob("*.jinja"))}

CHAT = [
    {"role": "user", "content": " Where is it, sir? "},
    {"role": "assistant", "content": 'here\'s "that"\n'},
    {"role": "user", "content": "é"},
]
CONSTRUCTS = (OWN / "constructs.txt").read_text().splitlines()
CONSTRUCTS += [
    "    {% if true %}\n  lines\n    {% endif %}\nend\n",
    "{{ 'a' }}\n{% set x = 1 %}\n  {%- set y = 2 %}\n{{ x + y }}\n\n",
    "{%- for m in messages %}\n  {{- m.role }}\n{% endfor %}\n",
]


class Renderer:
    """One tokenizer; the template changes."""

    def __init__(self, folder):
        self.folder = tokenizer_folders.write_llama3(folder)
        self.reference = transformers.AutoTokenizer.from_pretrained(folder)

    def ours(self, source, questions):
        (self.folder / "chat_template.jinja").write_text(source)
        return chats.ask(self.folder, questions)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    return Renderer(tmp_path_factory.mktemp("templates") / "model")


@pytest.fixture(autouse=True)
def one_day(monkeypatch):
    monkeypatch.setattr(chat_template_utils, "datetime", chats.July)


@pytest.mark.parametrize("name", TEMPLATES)
def test_template(renderer, name):
    source = TEMPLATES[name].read_text()
    asked = [(chat, prompt) for chat in chats.CHATS.values() for prompt in (True, False)]
    answers = renderer.ours(source, [{"chat": chat, "prompt": prompt} for chat, prompt in asked])
    texts = 0
    for (chat, prompt), answer in zip(asked, answers, strict=True):
        expected = chats.rendered(renderer.reference, chat, prompt, chat_template=source)
        assert chats.same(answer, expected), (chat, answer, expected)
        texts += expected is not None
    assert texts >= 4, "hardly any chat is one that this template renders"


@pytest.mark.parametrize("source", CONSTRUCTS)
def test_construct(renderer, source):
    (answer,) = renderer.ours(source, [{"chat": CHAT, "prompt": True}])
    expected = chats.rendered(renderer.reference, CHAT, True, chat_template=source)
    assert chats.same(answer, expected), (answer, expected)
