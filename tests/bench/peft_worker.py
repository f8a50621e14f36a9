"""PEFT's side: trains and evaluates as PEFT's users do.

    peft_worker.py QUESTION.json

prints {"losses", "seconds", "right", "eval_seconds"}: of each step, and of each evaluated row. The
question: model, dtype, threads; adapter (a folder, or none); data, batches and rate of the
training; eval: {prompts, answers (the index of each prompt's label), labels}.
"""

import json
import pathlib
import sys
import time

import torch
from peft import PeftConfig, PeftModel
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def load_base(question):
    return AutoModelForCausalLM.from_pretrained(
        question["model"], dtype=DTYPES[question["dtype"]], attn_implementation="sdpa"
    )


def load(question):
    """The base, and on it the adapter, which will be trained."""
    model = load_base(question)
    if not question.get("adapter"):
        return model.eval()
    learns_prompt = PeftConfig.from_pretrained(question["adapter"]).is_prompt_learning
    model = PeftModel.from_pretrained(model, question["adapter"], is_trainable=not learns_prompt)
    if learns_prompt:
        model.prompt_encoder.requires_grad_(True)  # PEFT refuses to train on what it has read
    return model.train()


def encode(tokenizer, prompt, completion):
    answer = tokenizer(completion, add_special_tokens=False)["input_ids"]
    return tokenizer(prompt)["input_ids"], [*answer, tokenizer.eos_token_id]


def padded(tokenizer, batch):
    """One rectangle of ids, labels and mask, as a collator of transformers makes it."""
    longest = max(len(prompt) + len(answer) for prompt, answer in batch)
    ids = torch.full((len(batch), longest), tokenizer.pad_token_id)
    labels = torch.full((len(batch), longest), -100)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for i, (prompt, answer) in enumerate(batch):
        length = len(prompt) + len(answer)
        ids[i, :length] = torch.tensor(prompt + answer)
        labels[i, len(prompt) : length] = torch.tensor(answer)
        mask[i, :length] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def train(model, tokenizer, question):
    lines = pathlib.Path(question["data"]).read_text(encoding="utf-8").splitlines()
    examples = [encode(tokenizer, **json.loads(line)) for line in lines]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=question["rate"], weight_decay=0)
    for indices in question["batches"]:
        start = time.perf_counter()
        batch = padded(tokenizer, [examples[i] for i in indices])
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item(), time.perf_counter() - start


def likeliest(model, tokenizer, prompt, labels):
    """The label of the highest sum of log-probabilities, all in one padded batch."""
    batch = padded(tokenizer, [encode(tokenizer, prompt, label) for label in labels])
    wanted = batch.pop("labels")
    kept = int((wanted[0] != -100).nonzero()[0])  # one prompt, so every row's label begins here
    logits = model(**batch, logits_to_keep=wanted.shape[1] - kept + 1).logits[:, :-1]
    losses = functional.cross_entropy(
        logits.float().transpose(1, 2), wanted[:, kept:], reduction="none"
    )
    return int(losses.sum(1).argmin())


def evaluate(model, tokenizer, wanted):
    model.eval()
    with torch.no_grad():
        for prompt, answer in zip(wanted["prompts"], wanted["answers"], strict=True):
            start = time.perf_counter()
            best = likeliest(model, tokenizer, prompt, wanted["labels"])
            yield best == answer, time.perf_counter() - start


def main():
    question = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(question["threads"])
    model, tokenizer = load(question), AutoTokenizer.from_pretrained(question["model"])
    steps = list(train(model, tokenizer, question)) if question.get("batches") else []
    rows = list(evaluate(model, tokenizer, question["eval"])) if question.get("eval") else []
    answer = {
        "losses": [loss for loss, _ in steps],
        "seconds": [seconds for _, seconds in steps],
        "right": [right for right, _ in rows],
        "eval_seconds": [seconds for _, seconds in rows],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
