"""What the tests measure: each figure is held against its bar and kept for the table."""

QUANTITIES = ("logits", "loss", "gradient")
worst = {}  # {(model, subject, quantity): the largest difference seen}


def hold(model, what, difference, bar):
    """`what` is "<subject> <quantity>", the subject a method or an objective, or a quantity alone
    (of the base); fails where the difference is above the bar."""
    subject, _, quantity = what.rpartition(" ")
    assert quantity in QUANTITIES, what
    key = (model, subject or "base", quantity)
    worst[key] = max(difference, worst.get(key, 0.0))
    assert difference <= bar, f"{model}, {what}: {difference:.2e}, allowed {bar:.0e}"


def table():
    """Markdown: a row of each model and subject."""
    yield "| model | trained | " + " | ".join(QUANTITIES) + " |"
    yield "|---|---|" + "---|" * len(QUANTITIES)
    for model, subject in dict.fromkeys((m, s) for m, s, _ in worst):
        cells = [worst.get((model, subject, quantity)) for quantity in QUANTITIES]
        texts = ["" if c is None else f"{c:.1e}" for c in cells]
        yield f"| {model} | {subject} | " + " | ".join(texts) + " |"
