"""What both sides train on: prompt, completion, and the batches of a run."""

import rows

PROMPT = "Classify the banking request.\nRequest: {text}\nIntent:"
COMPLETION = " {label}"


def few_shot(path):
    """One row of each label, as the trainer chooses them for seed 0."""
    return rows.few_shot(rows.read(path), 1, 0)


def batches(count, size, steps):
    return rows.batches(count, size, 0, steps)
