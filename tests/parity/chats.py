"""Chats that templates are tried on, and what transformers makes of them."""

import datetime
import json
import os
import pathlib
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))
PROBE = BUILD / "tests" / "tokenizer_probe"

CHATS = {
    "one": [{"role": "user", "content": "  Where is my card?\n"}],
    "system": [
        {"role": "system", "content": "Be brief. "},
        {"role": "user", "content": "é 😀 <|eot_id|>"},
    ],
    "turns": [
        {"role": "user", "content": "Hi", "name": None},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello"},
        {"role": "user", "content": ""},
    ],
    "whole": [
        {"role": "system", "content": "\nYou help.\n"},
        {"role": "user", "content": "lost it"},
        {"role": "assistant", "content": " Which one? "},
        {"role": "user", "content": "the 2nd\n\n"},
        {"role": "assistant", "content": "Done."},
    ],
    "calls": [
        {"role": "user", "content": "pay"},
        {
            "role": "assistant",
            "content": "so",
            "tool_calls": [{"name": "p&<'", "arguments": {"z": 1, "a": [2.5, None, True, "é"]}}],
        },
    ],
    "parts": [{"role": "user", "content": [{"type": "text", "text": " a "}, {"type": "image"}]}],
    "strange": [{"role": "user", "content": "a"}, {"role": "judge", "content": "b"}],
    "twice": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "empty": [],
}


class July(datetime.datetime):
    """The day on which all our chats take place."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, tzinfo=tz)


def rendered(tokenizer, chat, prompt, **template):
    """None where the template refuses."""
    try:
        return tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=prompt, **template
        )
    except Exception as refusal:  # whatever transformers raises
        print(refusal)
        return None


def ask(folder, questions):
    """What tokenizer_probe answers for a model folder."""
    assert PROBE.exists(), f"{PROBE} is not built; PREFIXMEM_BUILD names the build folder"
    done = subprocess.run(
        [PROBE, folder], input=json.dumps(questions), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def same(answer, expected):
    """Equal texts, or both refuse."""
    return answer.get("text") == expected and (expected is None) == (
        "INVALID_ARGUMENT" in answer.get("error", "")
    )
