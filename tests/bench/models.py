"""The models of the benchmarks: Gemma 3 270M's real weights, and the shape of Qwen2.5-0.5B."""

import random_model
import rows
import workloads


def gemma(options):
    return options.model


def qwen(options):
    """Random weights; a tokenizer of the rows that the benchmarks read."""
    texts = [row["text"] for row in rows.read(workloads.data_folder("banking77") / "train.jsonl")]
    pairs = rows.read(workloads.data_folder("preference") / "train.jsonl")
    return random_model.write(
        options.out / "qwen2.5-0.5b-shape", [*texts, *(pair["chosen"] for pair in pairs)]
    )


ALL = {"gemma": gemma, "qwen": qwen}
