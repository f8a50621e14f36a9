"""The models of the benchmarks: Gemma 3 270M with its weights, others of random ones."""

import random_model
import rows
import workloads


def gemma(options):
    return options.model


def random_weights(family, name):
    """With a tokenizer of the rows that the benchmarks read."""

    def model(options):
        folder = workloads.data_folder("banking77")
        texts = [row["text"] for row in rows.read(folder / "train.jsonl")]
        return random_model.write(family, options.out / name, [*texts, *workloads.long_texts()])

    return model


ALL = {
    "gemma": gemma,
    "qwen": random_weights("qwen2", "qwen2.5-0.5b-shape"),
    "llama": random_weights("llama", "llama-160m-shape"),
}
