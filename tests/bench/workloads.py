"""What the benchmarks train and evaluate on: real rows, chosen by their number of tokens."""

import json
import pathlib
import subprocess
import sys

import rows
from harness import REPO, build_folder
from tokenizers import Tokenizer

SHORT = "Classify the banking request.\nRequest: {text}\nIntent:"
LISTED = "Classify the banking request as one of: {labels}.\nRequest: {text}\nIntent:"
COMPLETION = " {label}"


def data_folder(name):
    """Of a benchmark of the registry, brought there if need be."""
    command = [build_folder() / "bin" / "pmt", "benchmarks", "prepare", name, "-o", "json"]
    command += ["--benchmark-data", REPO / ".deps" / "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    (benchmark,) = json.loads(done.stdout)["benchmarks"]
    return pathlib.Path(benchmark["splits"]["test"]["file"]).parent


def labels_of(all_rows):
    """In the order in which the trainer lists them."""
    return list(dict.fromkeys(row["label"] for row in all_rows))


class Counter:
    """Counts tokens as the model will read them."""

    def __init__(self, model):
        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def counts(self, texts, special=True):
        return [len(e.ids) for e in self.tokenizer.encode_batch(texts, add_special_tokens=special)]

    def cut(self, text, tokens):
        """The first `tokens` tokens of a text, as text."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids[:tokens]
        return self.tokenizer.decode(ids)


def filled(template, row, labels):
    prompt = template.replace("{labels}", ", ".join(labels)).replace("{text}", row["text"])
    return {"prompt": prompt, "completion": COMPLETION.replace("{label}", row["label"])}


def nearest(counts, tokens, number):
    """Indices of the `number` counts nearest to `tokens`, in their order."""
    by_distance = sorted(range(len(counts)), key=lambda i: (abs(counts[i] - tokens), i))
    return sorted(by_distance[:number])


def short_rows(model, number, tokens=48, labels=4):
    """Rows of which the model reads about `tokens` tokens, exactly `labels` of them labels."""
    every = rows.read(data_folder("banking77") / "train.jsonl")
    pairs = [filled(SHORT, row, []) for row in every]
    counter = Counter(model)
    answers = counter.counts([pair["completion"] for pair in pairs], special=False)
    pairs = [pair for pair, count in zip(pairs, answers) if count + 1 == labels]
    counts = counter.counts([pair["prompt"] for pair in pairs])
    return [pairs[i] for i in nearest(counts, tokens - labels + 1, number)]


def listed_rows(model, number, own=53):
    """Rows whose prompt lists the labels, with about `own` tokens after that list."""
    every = rows.read(data_folder("banking77") / "train.jsonl")
    counter, labels = Counter(model), labels_of(every)
    ends = [f"{row['text']}\nIntent: {row['label']}" for row in every]
    chosen = nearest(counter.counts(ends, special=False), own, number)
    return [filled(LISTED, every[i], labels) for i in chosen]


def long_texts():
    """Answers to preference pairs."""
    return [row["chosen"] for row in rows.read(data_folder("preference") / "train.jsonl")]


def preference_pairs(model, number, prompt=200, answer=40):
    """Pairs of real answers, cut to these numbers of tokens."""
    counter, pairs = Counter(model), []
    for row in rows.read(data_folder("preference") / "train.jsonl"):
        text = "\n".join(message["content"] for message in row["messages"])
        texts = [text, row["chosen"], row["rejected"]]
        if min(counter.counts(texts[1:])) <= answer or counter.counts([text])[0] <= prompt:
            continue
        wanted = [prompt, answer, answer]
        cut = [counter.cut(text, tokens) for text, tokens in zip(texts, wanted)]
        pairs.append(dict(zip(("prompt", "chosen", "rejected"), cut)))
    if len(pairs) < number:
        sys.exit(f"{number} pairs are asked for, {len(pairs)} are long enough")
    return pairs[:number]


def banking_labels():
    return labels_of(rows.read(data_folder("banking77") / "train.jsonl"))


def test_rows(count):
    """Of as many labels as there are rows."""
    every = rows.read(data_folder("banking77") / "test.jsonl")
    return rows.few_shot(every, 1, 0)[:count]


def likelihoods(template, chosen, labels):
    """What peft_worker.py evaluates: prompts, the right label's index for each, and the labels."""
    return {
        "prompts": [filled(template, row, labels)["prompt"] for row in chosen],
        "answers": [labels.index(row["label"]) for row in chosen],
        "labels": [COMPLETION.replace("{label}", label) for label in labels],
    }
