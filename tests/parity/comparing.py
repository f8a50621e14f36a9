"""What every method's tests hold: a folder's logits and gradients, and ten steps from it."""

import measured
import programs
import pytest
import reference

STEPS = 10


def hold_logits(model, method, answer, theirs, rows):
    """Of decoder_probe's answer on rows of ids."""
    for i, logits in enumerate(reference.logits(theirs, rows)):
        measured.hold_logits(model.name, method, answer[f"logits.{i}"], logits)


def hold_folder(model, method, adapter, theirs, our_name=lambda name: name):
    """Logits, loss and gradients on the model's rows and one that is longer than its window.

    `our_name` gives our parameter of theirs.
    """
    [long] = model.token_rows([60])
    rows = [*model.rows(), (long, 50)]
    answer = programs.ask(model.folder, rows, adapter=adapter, gradient=True, logits=0)
    hold_logits(model, method, answer, theirs, [ids for ids, _ in rows])
    expected = reference.backward(theirs, rows)
    assert answer["loss"].item() == pytest.approx(expected, rel=measured.BAR)
    gradients = {our_name(name): p.grad for name, p in reference.trained(theirs).items()}
    assert {f"gradient.{name}" for name in gradients} == {n for n in answer if "gradient." in n}
    ours = [answer[f"gradient.{name}"] for name in gradients]
    measured.hold_gradient(model.name, method, ours, gradients.values())


def hold_losses(model, method, ours, theirs):
    """Our steps of a run against the reference's (loss, gradient norm)."""
    for step, (loss, norm) in zip(ours, theirs, strict=True):
        measured.hold_loss(model.name, method, step["loss"], loss, model.loss_bar)
        if step["step"] == 1:
            assert step["grad_norm"] == pytest.approx(norm, rel=model.loss_bar)


def hold_steps(model, method, ours, theirs, rate, **options):
    """Our steps of a run against those that the reference makes from the same start."""
    steps = reference.train(theirs, list(model.rows()), STEPS, rate, **options)
    hold_losses(model, method, ours, steps)
    assert ours[-1]["loss"] < 0.99 * ours[0]["loss"], "there was nothing to compare"
