"""LoRA and its variants against PEFT in fp64: we load its folders, it loads ours."""

import comparing
import peft
import programs
import pytest
import reference
import torch
from peft.optimizers import create_loraplus_optimizer

# {variant: settings that we and PEFT call by the same name}
VARIANTS = {
    "lora": {},
    "dora": {"use_dora": True},
    "rslora": {"use_rslora": True},
    "lora+": {},
    "lora+ that decays": {"use_dora": True, "bias": "all", "target_modules": ["q_proj", "up_proj"]},
    "lora with biases": {"bias": "lora_only", "target_modules": ["q_proj", "down_proj"]},
    "lora with all biases": {"bias": "all", "target_modules": ["v_proj", "up_proj"]},
    "lora of some layers": {"target_modules": r".*\.layers\.(0|2)\..*(q_proj|down_proj)"},
    "dora of some layers": {
        "use_dora": True,
        "use_rslora": True,
        "bias": "all",
        "target_modules": r"model\.layers\.[12]\.self_attn\.[qo]_proj",
    },
}
CASES = [("llama-grouped", variant) for variant in VARIANTS]
CASES += [("qwen2", "dora of some layers"), ("gemma3_text", "dora")]
R, ALPHA, RATIO = 4, 6, 4
DECAYS = {"lora+ that decays": 2.0}


def settings_of(variant):
    return {"target_modules": "all-linear", **VARIANTS[variant]}


def write_with_peft(model, variant, folder):
    """Random values: no tensor is where a fresh adapter would have it."""
    torch.manual_seed(3)  # of PEFT's own initialisation
    config = peft.LoraConfig(r=R, lora_alpha=ALPHA, task_type="CAUSAL_LM", **settings_of(variant))
    theirs = peft.get_peft_model(reference.load(model.folder), config)
    with torch.no_grad():
        for parameter in reference.trained(theirs).values():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    theirs.save_pretrained(folder)
    return folder


def is_plus(variant):
    return variant.startswith("lora+")


def loraplus(model, rate, decay):
    return create_loraplus_optimizer(
        model,
        torch.optim.AdamW,
        lr=rate,
        loraplus_lr_ratio=RATIO,
        loraplus_weight_decay=decay,  # of biases it is none
    )


def rate_of(model, variant):
    """No matrix learns faster than the model bears: Adam's first steps blow up what rounds."""
    return model.rate / RATIO if is_plus(variant) else model.rate


def train(model, variant, start, out):
    method = {"type": "lora", "r": R, "alpha": ALPHA, "init": str(start), **settings_of(variant)}
    if is_plus(variant):
        method["loraplus_lr_ratio"] = RATIO
    settings = {"learning_rate": rate_of(model, variant), "max_steps": comparing.STEPS}
    settings["weight_decay"] = DECAYS.get(variant, 0)
    return programs.train(model.folder, model.texts, method, out, **settings)


def our_name(name):
    """PEFT's files hold magnitudes without the last part of their name."""
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_from_a_folder_of_peft_and_back(name, variant, model_named, tmp_path):
    model = model_named(name)
    start = write_with_peft(model, variant, tmp_path / "start")
    rows = model.token_rows([1, 7, 60])
    theirs = reference.with_lora(model.folder, start).double()
    comparing.hold_folder(model, variant, start, theirs, our_name)

    steps = train(model, variant, start, tmp_path / "run")
    theirs = reference.with_lora(model.folder, start).double()
    options = {
        "optimizer": loraplus if is_plus(variant) else reference.adamw,
        "decay": DECAYS.get(variant, 0),
    }
    comparing.hold_steps(model, variant, steps, theirs, rate_of(model, variant), **options)

    ours = tmp_path / "run" / "adapter"
    reloaded = reference.with_lora(model.folder, ours).double()
    assert set(reference.trained(reloaded)) == set(reference.trained(theirs))
    answer = programs.ask(model.folder, rows, adapter=ours, logits=0)
    comparing.hold_logits(model, variant, answer, reloaded, rows)
    ends = [next(reference.logits(trained, rows[-1:])) for trained in (reloaded, theirs)]
    assert reference.difference(*ends) < 1e-2
