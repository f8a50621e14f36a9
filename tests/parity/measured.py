"""What the tests measure: each figure is held against its bar and kept for the table."""

COLUMNS = {
    "logits": "logits",
    "prefix_memory loss": "loss, prefix_memory",
    "lora loss": "loss, lora",
    "prefix_memory gradient": "gradient, prefix_memory",
    "lora gradient": "gradient, lora",
    "prefix_memory logits": "adapted logits, prefix_memory",
    "lora logits": "adapted logits, lora",
}
worst = {}  # {(model, column): the largest difference seen}


def hold(model, column, difference, bar):
    assert column in COLUMNS
    worst[model, column] = max(difference, worst.get((model, column), 0.0))
    assert difference <= bar, f"{model}, {column}: {difference:.2e}, allowed {bar:.0e}"


def table():
    models = dict.fromkeys(model for model, _ in worst)
    yield "| model | " + " | ".join(COLUMNS.values()) + " |"
    yield "|---|" + "---|" * len(COLUMNS)
    for model in models:
        cells = [worst.get((model, column)) for column in COLUMNS]
        yield f"| {model} | " + " | ".join("" if c is None else f"{c:.1e}" for c in cells) + " |"
