"""What the tests measure: each figure is held against its bar and kept for the table."""

import math

BAR = 1e-5  # relative, unless another is given
QUANTITIES = ("logits", "loss", "gradient")
worst = {}  # {(model, subject, quantity): the largest (relative, absolute) difference seen}


def hold_logits(model, subject, ours, theirs):
    """By the largest logit."""
    away = largest(ours - theirs)
    _hold(model, subject, "logits", away / largest(theirs), away, BAR)


def hold_loss(model, subject, ours, theirs, bar=BAR):
    away = abs(ours - theirs)
    _hold(model, subject, "loss", away / theirs, away, bar)


def hold_gradient(model, subject, ours, theirs):
    """Of lists of tensors in one order: by the norm of them all; absolutely, of one element."""
    norm = math.hypot(*(their.norm().item() for their in theirs))
    away = most = 0.0
    for our, their in zip(ours, theirs, strict=True):
        difference = our - their
        away = math.hypot(away, difference.norm().item())
        most = max(most, largest(difference))
    _hold(model, subject, "gradient", away / norm, most, BAR)


def largest(tensor):
    return tensor.abs().max().item()


def _hold(model, subject, quantity, relative, absolute, bar):
    """`subject`: base, a method, or an objective and a method."""
    key = (model, subject, quantity)
    seen = worst.get(key, (0.0, 0.0))
    worst[key] = (max(relative, seen[0]), max(absolute, seen[1]))
    what = f"{model}, {subject} {quantity}"
    assert relative <= bar, f"{what}: {relative:.2e} of it away, allowed {bar:.0e}"


def table():
    """Markdown: a row of each model and subject."""
    yield "| model | trained | " + " | ".join(QUANTITIES) + " |"
    yield "|---|---|" + "---|" * len(QUANTITIES)
    for model, subject in dict.fromkeys((m, s) for m, s, _ in worst):
        cells = [worst.get((model, subject, quantity)) for quantity in QUANTITIES]
        texts = ["" if c is None else f"{c[0]:.1e} ({c[1]:.1e})" for c in cells]
        yield f"| {model} | {subject} | " + " | ".join(texts) + " |"
