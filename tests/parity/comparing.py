"""What every method's tests hold: a folder's logits and gradients, and ten steps from it."""

import measured
import programs
import pytest
import reference
import torch

STEPS = 10
BAR = 1e-5  # of logits and gradients


def relative(ours, theirs):
    """|difference| / |gradient| of two lists of tensors as one vector each."""
    ours, theirs = (torch.cat([part.flatten() for part in side]) for side in (ours, theirs))
    return ((ours - theirs).norm() / theirs.norm()).item()


def hold_logits(model, method, answer, theirs, rows):
    """Of decoder_probe's answer on rows of ids."""
    for i, logits in enumerate(reference.logits(theirs, rows)):
        away = reference.difference(answer[f"logits.{i}"], logits)
        measured.hold(model.name, f"{method} logits", away, BAR)


def hold_folder(model, method, adapter, theirs, our_name=lambda name: name):
    """Logits, loss and gradients on the model's rows and one that is longer than its window.

    `our_name` gives our parameter of theirs.
    """
    [long] = model.token_rows([60])
    rows = [*model.rows(), (long, 50)]
    answer = programs.ask(model.folder, rows, adapter=adapter, gradient=True, logits=0)
    hold_logits(model, method, answer, theirs, [ids for ids, _ in rows])
    assert answer["loss"].item() == pytest.approx(reference.backward(theirs, rows), rel=BAR)
    gradients = {our_name(name): p.grad for name, p in reference.trained(theirs).items()}
    assert {f"gradient.{name}" for name in gradients} == {n for n in answer if "gradient." in n}
    ours = [answer[f"gradient.{name}"] for name in gradients]
    measured.hold(model.name, f"{method} gradient", relative(ours, gradients.values()), BAR)


def hold_steps(model, method, ours, theirs, rate, **options):
    """Our steps of a run against those that the reference makes from the same start."""
    steps = reference.train(theirs, list(model.rows()), STEPS, rate, **options)
    for step, (loss, norm) in zip(ours, steps, strict=True):
        away = abs(step["loss"] - loss) / loss
        measured.hold(model.name, f"{method} loss", away, model.loss_bar)
        if step["step"] == 1:
            assert step["grad_norm"] == pytest.approx(norm, rel=model.loss_bar)
    assert ours[-1]["loss"] < 0.99 * ours[0]["loss"], "there was nothing to compare"
