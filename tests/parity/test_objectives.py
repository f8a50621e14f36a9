"""Preference objectives against TRL's DPOTrainer, and its CPOTrainer where the former has none."""

import json
import types

import datasets
import measured
import models
import programs
import pytest
import reference
import torch
import trl
from safetensors.torch import load_file
from torch.nn import functional
from trl.experimental.cpo import CPOTrainer

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


def cpo_loss(objective, sums, base, lengths):
    """CPOTrainer's loss of these scores: SimPO is one of its losses, and smoothed DPO is its
    smoothed sigmoid of the ratios to the reference."""
    simpo = objective["type"] == "simpo"
    values = sums / lengths if simpo else sums - base
    trainer = types.SimpleNamespace(
        alpha=0.0,
        loss_type="simpo" if simpo else "sigmoid",
        beta=objective["beta"],
        simpo_gamma=objective.get("gamma"),
        label_smoothing=objective.get("label_smoothing", 0.0),
        accelerator=types.SimpleNamespace(device="cpu"),
    )
    losses, _, _ = CPOTrainer.cpo_loss(trainer, values[0::2], values[1::2])
    return losses.mean()


def dpo_trainer(model, objective, theirs, base=None, **settings):
    """TRL's own, from the texts of the pairs; the reference is `base`, else a copy of `theirs`."""
    args = trl.DPOConfig(
        beta=objective["beta"],
        loss_type=[objective.get("loss", "sigmoid")],
        per_device_train_batch_size=len(PAIRS),
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        **settings,
    )
    return trl.DPOTrainer(
        model=theirs,
        ref_model=base,
        args=args,
        processing_class=model.tokenizer(),
        train_dataset=datasets.Dataset.from_list(PAIRS),
    )


def loss_of(model, objective, theirs, out):
    """A function that gives TRL's loss of the pairs at the weights that `theirs` has then."""
    base = reference.load(model.folder).double()
    if objective["type"] == "dpo" and "label_smoothing" not in objective:
        trainer = dpo_trainer(model, objective, theirs, base, output_dir=str(out))
        batch = trainer.data_collator(list(trainer.train_dataset))
        return lambda: trainer._compute_loss(trainer.model, batch, return_outputs=False)
    rows = list(rows_of(model))
    with torch.no_grad():
        of_base, lengths = scores(base, rows)
    return lambda: cpo_loss(objective, scores(theirs, rows)[0], of_base, lengths)


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
    programs.run("pmt-trainer", out / "job.yaml", "--out", out)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=METHODS)
def adapter(request, model_named, tmp_path_factory):
    """(method, folder of an adapter that two steps of DPO have moved from where it began)."""
    out = tmp_path_factory.mktemp("moved")
    method = METHODS[request.param]
    train(model_named("qwen2"), method, OBJECTIVES["dpo"], out, max_steps=2, learning_rate=1e-2)
    return request.param, out / "adapter"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_loss_and_gradient(name, adapter, model_named, tmp_path):
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
    loss = loss_of(model, objective, theirs, tmp_path)()
    loss.backward()

    measured.hold_loss(model.name, f"{name}, {method}", answer["loss"].item(), loss.item())
    gradients = {key: p.grad for key, p in reference.trained(theirs).items()}
    assert set(gradients) == set(load_file(folder / "adapter_model.safetensors"))
    ours = [answer[f"gradient.{key}"] for key in gradients]
    measured.hold_gradient(model.name, f"{name}, {method}", ours, gradients.values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_ten_steps(name, model_named, tmp_path):
    model, objective = model_named("llama"), OBJECTIVES[name]
    method, settings = METHODS["lora"], {"learning_rate": 1e-3}
    train(model, method, objective, tmp_path / "initial", max_steps=1, warmup_steps=1)
    steps = train(model, method, objective, tmp_path / "final", max_steps=STEPS, **settings)
    theirs = reference.with_lora(model.folder, tmp_path / "initial" / "adapter").double()
    loss_now = loss_of(model, objective, theirs, tmp_path)
    optimizer = torch.optim.AdamW(reference.trained(theirs).values(), lr=1e-3, weight_decay=0)
    for step in steps:
        loss = loss_now()
        measured.hold_loss(model.name, f"{name}, lora, ten steps", step["loss"], loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert steps[-1]["loss"] < 0.97 * steps[0]["loss"], "there was nothing to compare"


def test_the_steps_of_trls_own_trainer(model_named, tmp_path):
    """From the text of the pairs to the losses: tokens, masks, reference, mean and update."""
    model = model_named("llama")
    objective = OBJECTIVES["dpo"]
    train(model, METHODS["lora"], objective, tmp_path / "initial", max_steps=1, warmup_steps=1)
    steps = train(
        model, METHODS["lora"], objective, tmp_path / "ours", max_steps=STEPS, learning_rate=1e-3
    )
    trainer = dpo_trainer(
        model,
        objective,
        reference.with_lora(model.folder, tmp_path / "initial" / "adapter"),
        output_dir=str(tmp_path / "theirs"),
        max_steps=STEPS,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        weight_decay=0.0,
        logging_steps=1,
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == STEPS
    for step, loss in zip(steps, losses, strict=True):
        assert step["loss"] == pytest.approx(loss, rel=1e-3)  # it logs four digits
