"""Writes rows of one length for vs_peft.py: text and label of which a model reads TOKENS tokens.

    python tests/bench/short_rows.py MODEL OUT [--rows 96] [--tokens 48] [--labels 4]

A token is one input of the model; LABELS of them predict the completion and eos. Texts are random
words, so that rows begin alike no further than the template does.
"""

import argparse
import pathlib
import random

import prompts
from rows import write
from tokenizers import Tokenizer

WORDS = [
    "river",
    "stone",
    "paper",
    "light",
    "garden",
    "music",
    "winter",
    "summer",
    "table",
    "window",
    "bridge",
    "market",
    "engine",
    "silver",
    "forest",
    "letter",
    "doctor",
    "island",
    "camera",
    "ticket",
    "planet",
    "farmer",
    "butter",
    "orange",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--labels", type=int, default=4)
    return parser.parse_args()


def row(tokenizer, chance, tokens, labels):
    """Words are added until the counts are right; each is one token."""
    label = " ".join(chance.sample(WORDS, labels - 1))
    completion = len(tokenizer.encode(f" {label}", add_special_tokens=False).ids)
    text = chance.choice(WORDS)
    prompt = tokens - completion
    while (count := len(tokenizer.encode(prompts.PROMPT.format(text=text)).ids)) < prompt:
        text += f" {chance.choice(WORDS)}"
    if completion + 1 != labels or count + completion != tokens:
        raise SystemExit(f"{text!r} and {label!r} are {count} and {completion} tokens")
    return {"text": text, "label": label}


def main():
    args = arguments()
    tokenizer = Tokenizer.from_file(str(pathlib.Path(args.model) / "tokenizer.json"))
    chance = random.Random(0)
    rows, seen = [], set()
    while len(rows) < args.rows:
        made = row(tokenizer, chance, args.tokens, args.labels)
        if made["label"] not in seen:
            seen.add(made["label"])
            rows.append(made)
    write(args.out, rows)


if __name__ == "__main__":
    main()
