"""Preference objectives against TRL: its losses on the same scores, and its DPOTrainer's steps."""

import json
import types

import measured
import models
import programs
import pytest
import reference
import torch
from safetensors.torch import load_file
from torch.nn import functional
from trl.experimental.cpo import CPOTrainer

BAR = 1e-5
STEPS = 10
METHODS = {
    "prefix_memory": {"type": "prefix_memory"},
    "lora": {"type": "lora", "r": 4, "alpha": 8},
}
OBJECTIVES = {
    "dpo": {"type": "dpo", "beta": 0.3},
    "dpo smoothed": {"type": "dpo", "beta": 0.3, "label_smoothing": 0.2},
    "dpo ipo": {"type": "dpo", "beta": 0.3, "loss": "ipo"},
    "simpo": {"type": "simpo", "beta": 2.0, "gamma": 0.7},
}
PAIRS = [
    {"prompt": prompt, "chosen": answer, "rejected": models.TEXTS[i - 1][1] + ", perhaps"}
    for i, (prompt, answer) in enumerate(models.TEXTS)
]


def rows_of(model):
    """(ids, prompt tokens) of chosen, rejected, chosen, …, as the trainer has them."""
    tokenizer = model.tokenizer()
    for pair in PAIRS:
        head = tokenizer(pair["prompt"])["input_ids"]
        for answer in (pair["chosen"], pair["rejected"]):
            tail = tokenizer(answer, add_special_tokens=False)["input_ids"]
            yield [*head, *tail, tokenizer.eos_token_id], len(head)


def scores(model, rows):
    """Sum of the label tokens' log-probabilities of each row, and how many there are."""
    sums = []
    for ids, prompt in rows:
        logits = model(torch.tensor([ids[:-1]])).logits[0, prompt - 1 :]
        losses = functional.cross_entropy(logits, torch.tensor(ids[prompt:]), reduction="none")
        sums.append(-losses.sum())
    lengths = torch.tensor([float(len(ids) - prompt) for ids, prompt in rows])
    return torch.stack(sums), lengths


def trl_loss(objective, sums, base, lengths):
    """TRL's loss of these scores; its DPO losses are CPO's of the ratios to the reference."""
    kind = objective.get("loss", "sigmoid") if objective["type"] == "dpo" else "simpo"
    values = sums if kind == "simpo" else sums - base
    if kind in ("simpo", "ipo"):
        values = values / lengths
    trainer = types.SimpleNamespace(
        alpha=0.0,
        loss_type=kind,
        beta=objective["beta"],
        simpo_gamma=objective.get("gamma"),
        label_smoothing=objective.get("label_smoothing", 0.0),
        accelerator=types.SimpleNamespace(device="cpu"),
    )
    losses, _, _ = CPOTrainer.cpo_loss(trainer, values[0::2], values[1::2])
    return losses.mean()


def write_rows(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    return file


def train(model, method, objective, out, **settings):
    """A full-batch run of pmt-trainer on the pairs."""
    spec = {
        "name": "parity",
        "model": str(model.folder),
        "method": method,
        "objective": objective,
        "data": {"train": str(write_rows(out / "pairs.jsonl")), "format": "preference"},
        "train": {"global_batch_size": len(PAIRS), "dtype": "fp32", **settings},
        "resources": {"device": "cpu", "threads": 1},
    }
    (out / "job.yaml").write_text(json.dumps(spec))
    programs.run(programs.BUILD / "bin" / "pmt-trainer", out / "job.yaml", "--out", out)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=METHODS)
def adapter(request, model_named, tmp_path_factory):
    """(method, folder of an adapter that two steps of DPO have moved from where it began)."""
    out = tmp_path_factory.mktemp("moved")
    method = METHODS[request.param]
    train(model_named("qwen2"), method, OBJECTIVES["dpo"], out, max_steps=2, learning_rate=1e-2)
    return request.param, out / "adapter"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_loss_and_gradient(name, adapter, model_named):
    model, objective = model_named("qwen2"), OBJECTIVES[name]
    method, folder = adapter
    rows = list(rows_of(model))
    answer = programs.ask(
        model.folder,
        rows,
        adapter=folder,
        gradient=True,
        objective={"label_smoothing": 0, **objective},
    )
    theirs = reference.WITH[method](model.folder, folder).double()
    with torch.no_grad():
        base, _ = scores(reference.load(model.folder).double(), rows)
    sums, lengths = scores(theirs, rows)
    loss = trl_loss(objective, sums, base, lengths)
    loss.backward()

    away = abs(answer["loss"].item() - loss.item()) / loss.item()
    measured.hold(model.name, f"{name}, {method} loss", away, BAR)
    gradients = {key: p.grad for key, p in reference.trained(theirs).items()}
    assert set(gradients) == set(load_file(folder / "adapter_model.safetensors"))
    pairs = [(answer[f"gradient.{key}"], gradient) for key, gradient in gradients.items()]
    ours, expected = (torch.cat([s.flatten() for s in side]) for side in zip(*pairs, strict=True))
    away = ((ours - expected).norm() / expected.norm()).item()
    measured.hold(model.name, f"{name}, {method} gradient", away, BAR)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_ten_steps(name, model_named, tmp_path):
    model, objective = model_named("llama"), OBJECTIVES[name]
    method, settings = METHODS["lora"], {"learning_rate": 1e-3}
    train(model, method, objective, tmp_path / "initial", max_steps=1, warmup_steps=1)
    steps = train(model, method, objective, tmp_path / "final", max_steps=STEPS, **settings)
    rows = list(rows_of(model))
    theirs = reference.with_lora(model.folder, tmp_path / "initial" / "adapter").double()
    with torch.no_grad():
        base, _ = scores(reference.load(model.folder).double(), rows)
    optimizer = torch.optim.AdamW(reference.trained(theirs).values(), lr=1e-3, weight_decay=0)
    for step in steps:
        loss = trl_loss(objective, *(lambda s: (s[0], base, s[1]))(scores(theirs, rows)))
        away = abs(step["loss"] - loss.item()) / loss.item()
        measured.hold(model.name, f"{name}, lora, ten steps loss", away, BAR)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert steps[-1]["loss"] < 0.97 * steps[0]["loss"], "there was nothing to compare"


def test_the_steps_of_trls_own_trainer(model_named, tmp_path):
    """From the text of the pairs to the losses: tokens, masks, reference, mean and update."""
    import datasets
    import trl

    model = model_named("llama")
    objective = OBJECTIVES["dpo"]
    train(model, METHODS["lora"], objective, tmp_path / "initial", max_steps=1, warmup_steps=1)
    steps = train(
        model, METHODS["lora"], objective, tmp_path / "ours", max_steps=STEPS, learning_rate=1e-3
    )
    trainer = trl.DPOTrainer(
        model=reference.with_lora(model.folder, tmp_path / "initial" / "adapter"),
        args=trl.DPOConfig(
            output_dir=str(tmp_path / "theirs"),
            beta=objective["beta"],
            max_steps=STEPS,
            per_device_train_batch_size=len(PAIRS),
            learning_rate=1e-3,
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            weight_decay=0.0,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            disable_tqdm=True,
        ),
        processing_class=model.tokenizer(),
        train_dataset=datasets.Dataset.from_list(PAIRS),
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == STEPS
    for step, loss in zip(steps, losses, strict=True):
        assert step["loss"] == pytest.approx(loss, rel=1e-3)  # it logs four digits
