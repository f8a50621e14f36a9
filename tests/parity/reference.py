"""The same in Python: transformers in fp32, PEFT's LoRA and Prefix-Tuning, PrefixMemory."""

import memory_reference
import peft
import torch
import transformers
from remembered import remembered
from torch.nn import functional

torch.set_num_threads(
    1
)  # as pmt-trainer here: a thread more costs more than it brings on a busy machine


def load(folder, attention="eager"):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention
    )
    return model.eval().requires_grad_(False)


def with_memory(folder, adapter):
    return memory_reference.apply(load(folder, "prefix_memory"), adapter)


def with_lora(folder, adapter):
    return peft.PeftModel.from_pretrained(load(folder, "sdpa"), adapter, is_trainable=True)


def with_prefix(folder, adapter):
    model = peft.PeftModel.from_pretrained(load(folder, "sdpa"), adapter)
    model.prompt_encoder.requires_grad_(True)  # PEFT would not train on a prefix that it has read
    return model


def with_combined(folder, adapter):
    """Every part of a folder of several; Prefix-Tuning last, since it wraps whatever is there."""
    parts = [path.name for path in adapter.iterdir() if path.is_dir()]
    memory = adapter / "prefix_memory"
    model = with_memory(folder, memory) if memory.name in parts else load(folder, "sdpa")
    for part in ("lora", "prefix_tuning"):
        if part in parts:
            model = peft.PeftModel.from_pretrained(model, adapter / part)
    for name, parameter in model.named_parameters():
        of_adapter = any(mark in name for mark in (".prefix_memory.", ".lora_", "prompt_encoder."))
        parameter.requires_grad_(of_adapter)
    return model


def whole(folder):
    """The model with every weight to be trained."""
    return load(folder).requires_grad_(True)


WITH = {"prefix_memory": with_memory, "lora": with_lora}


def in_bf16(model):
    """The frozen base in bf16 under what is trained in fp32."""
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.bfloat16()
    return model


def trained(model):
    """{key in adapter_model.safetensors, where it has one: parameter}"""
    named = model.named_parameters()
    return {name.replace(".default.", "."): p for name, p in named if p.requires_grad}


def difference(ours, theirs):
    """The largest difference of logits, relative to the largest logit."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def logits(model, rows, first=0):
    """Of each row alone, from its token `first` on."""
    with torch.no_grad():
        for ids in rows:
            kept = torch.arange(first, len(ids))
            yield model(torch.tensor([ids]), logits_to_keep=kept).logits[0]


def backward(model, rows):
    """Mean loss of the label tokens of all (ids, prompt tokens); adds its gradient."""
    count = sum(len(ids) - prompt for ids, prompt in rows)
    total = 0.0
    for ids, prompt in rows:
        row = torch.tensor(ids)
        kept = torch.arange(prompt - 1, len(ids) - 1)
        scores = model(row[None, :-1], logits_to_keep=kept).logits[0]
        loss = functional.cross_entropy(scores, row[prompt:], reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total


def adamw(model, rate, decay=0.0, ratios=None):
    """`ratios`: {the last part of a parameter's name: its learning rate over `rate`}, else 1."""
    ratio = {name: (ratios or {}).get(name.rpartition(".")[2], 1) for name in trained(model)}
    groups = [{"params": [p], "lr": rate * ratio[name]} for name, p in trained(model).items()]
    return torch.optim.AdamW(groups, weight_decay=decay)


def train(model, rows, steps, rate, clip=0.0, schedule=("constant", 0), optimizer=adamw, **options):
    """Full-batch AdamW; yields each step's loss before its update and its gradient norm.

    `options` go to `optimizer`.
    """
    parameters = list(trained(model).values())
    optimizer = optimizer(model, rate, **options)
    kind, warmup = schedule
    rates = transformers.get_scheduler(
        kind, optimizer, num_warmup_steps=warmup, num_training_steps=steps
    )
    for _ in range(steps):
        loss = backward(model, rows)
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip or float("inf"))
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        yield loss, norm.item()


@remembered
def steps(make, arguments, rows, count, rate, precise=True):
    """[(loss, gradient norm)] of `count` steps of train() by the model that `make` gives: in fp64,
    or in fp32 where that takes too much memory."""
    model = make(*arguments)
    return list(train(model.double() if precise else model, rows, count, rate))


@remembered
def continuation(make, arguments, ids, count):
    """`count` tokens by that model, the likeliest each time, also behind one that ends a text."""
    model = make(*arguments)
    model.generation_config.eos_token_id = None
    whole = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=count)
    return whole[0, len(ids) :].tolist()
