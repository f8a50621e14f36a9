"""The rows that gemma_methods.py trains and tests on, drawn from DBpedia-14 with a fixed seed."""

import random

from rows import read

SEED = 0
SPLITS = {"train": 4, "test": 10}  # rows a class
TEXT_CHARS = 160


def classes(folder, split):
    """Short rows, equally many of each class."""
    short = [r for r in read(folder / f"{split}.jsonl") if len(r["text"]) <= TEXT_CHARS]
    rows = []
    for label in sorted({row["label"] for row in short}):
        of_class = [row for row in short if row["label"] == label]
        rows += random.Random(SEED).sample(of_class, SPLITS[split])
    return rows


def pairs(rows, template):
    """The same rows as preferences: their class against another one."""
    labels = sorted({row["label"] for row in rows})
    chance = random.Random(SEED)
    for row in rows:
        other = chance.choice([label for label in labels if label != row["label"]])
        yield {
            "prompt": template.format(text=row["text"]),
            "chosen": f" {row['label']}",
            "rejected": f" {other}",
        }
