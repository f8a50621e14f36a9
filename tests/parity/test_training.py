"""Ten AdamW steps of pmt-trainer in fp32 against transformers and PEFT, from one initial adapter.

They compute in fp64 here: on Gemma their own fp32 is further from that than the bars allow.
"""

import comparing
import measured
import programs
import pytest
import reference
import torch
from safetensors.torch import load_file

STEPS = 10
METHODS = {
    "prefix_memory": {"type": "prefix_memory"},
    "lora": {"type": "lora", "r": 4, "alpha": 8, "target_modules": ["all-linear"]},
}


class Trained:
    """A run of pmt-trainer of STEPS steps and one that wrote the adapter it began with."""

    def __init__(self, model, method, folder, **settings):
        self.model, self.method, self.folder = model, method, folder
        settings["learning_rate"] = model.rate
        self.run("initial", max_steps=1, warmup_steps=1)  # the one step is at rate 0
        self.steps = self.run("final", max_steps=STEPS, **settings)

    def run(self, name, **settings):
        out, method = self.folder / name, METHODS[self.method]
        return programs.train(self.model.folder, self.model.texts, method, out, **settings)

    def adapter(self, name):
        return self.folder / name / "adapter"

    def reference(self, name):
        return reference.WITH[self.method](self.model.folder, self.adapter(name))

    def compare(self, steps):
        """Holds our steps against the reference's (loss, gradient norm)."""
        comparing.hold_losses(self.model, self.method, self.steps, steps)


@pytest.fixture(scope="module")
def trained(model_named, tmp_path_factory):
    """A function that trains each model by each method once."""
    runs = {}

    def run(name, method):
        if (name, method) not in runs:
            folder = tmp_path_factory.mktemp("run")
            runs[name, method] = Trained(model_named(name), method, folder)
        return runs[name, method]

    return run


@pytest.mark.parametrize("method", METHODS)
def test_ten_steps(model, method, trained):
    ours = trained(model.name, method)
    start = [model.folder, ours.adapter("initial")]
    ours.compare(
        reference.steps(reference.WITH[method], start, list(model.rows()), STEPS, model.rate)
    )
    losses = [step["loss"] for step in ours.steps]
    assert losses[-1] < 0.9 * losses[0], "there was nothing to compare"


@pytest.mark.parametrize("method", METHODS)
def test_gradients_and_logits_of_a_trained_adapter(model, method, trained):
    """After two steps: once the loss is near zero, rounding is all that its gradient holds."""
    ours, rows = trained(model.name, method), list(model.rows())
    ours.run("early", max_steps=2, learning_rate=model.rate)
    adapter, theirs = ours.adapter("early"), ours.reference("early").double()
    answer = programs.ask(model.folder, rows, adapter=adapter, gradient=True, logits=0)

    expected = reference.logits(theirs, [ids for ids, _ in rows])
    for i, logits in enumerate(expected):
        measured.hold_logits(model.name, method, answer[f"logits.{i}"], logits)

    expected = reference.backward(theirs, rows)
    assert answer["loss"].item() == pytest.approx(expected, rel=measured.BAR)
    gradients = {name: p.grad for name, p in reference.trained(theirs).items()}
    assert set(gradients) == set(load_file(adapter / "adapter_model.safetensors"))
    ours = [answer[f"gradient.{name}"] for name in gradients]
    measured.hold_gradient(model.name, method, ours, gradients.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_schedule_clipping_and_decay(method, schedule, model_named, tmp_path):
    model = model_named("llama")
    settings = {"schedule": schedule, "warmup_steps": 3, "max_grad_norm": 0.05, "weight_decay": 0.1}
    ours = Trained(model, method, tmp_path, **settings)
    theirs = ours.reference("initial").double()
    rows = list(model.rows())
    ours.compare(
        reference.train(
            theirs, rows, STEPS, model.rate, clip=0.05, decay=0.1, schedule=(schedule, 3)
        )
    )


@pytest.mark.parametrize("method", METHODS)
def test_bf16(method, model_named, tmp_path):
    """Both round as they go, so only the first loss and the mean of the last ones can agree."""
    model = model_named("stories260k")
    ours = Trained(model, method, tmp_path, dtype="bf16")
    theirs = reference.in_bf16(ours.reference("initial"))
    losses = [loss for loss, _ in reference.train(theirs, list(model.rows()), STEPS, model.rate)]
    found = [step["loss"] for step in ours.steps]
    assert found[0] == pytest.approx(losses[0], rel=1e-2)
    assert found[-1] == pytest.approx(losses[-1], rel=2e-2)
    assert found[-1] < 0.98 * found[0], "there was nothing to compare"


def test_an_adapter_that_peft_wrote(model_named, tmp_path):
    model = model_named("qwen2")
    targets = ["q_proj", "v_proj", "down_proj"]
    config = reference.peft.LoraConfig(
        r=3, lora_alpha=5, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM"
    )
    torch.manual_seed(2)
    theirs = reference.peft.get_peft_model(reference.load(model.folder), config).eval()
    theirs.save_pretrained(tmp_path)
    rows = [ids for ids, _ in model.rows()]
    answer = programs.ask(model.folder, rows, adapter=tmp_path, logits=0)
    for i, logits in enumerate(reference.logits(theirs, rows)):
        measured.hold_logits(model.name, "lora", answer[f"logits.{i}"], logits)
