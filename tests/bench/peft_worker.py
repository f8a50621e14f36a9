"""PEFT's side of vs_peft.py: trains as PEFT's users do and prints its steps."""

import argparse
import json
import sys
import time

import prompts
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "data", "adapter"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--dtype", required=True, choices=DTYPES)
    for name in ("steps", "batch", "threads"):
        parser.add_argument(f"--{name}", required=True, type=int)
    parser.add_argument("--rate", required=True, type=float)
    return parser.parse_args()


def encode(tokenizer, rows):
    for row in rows:
        prompt = tokenizer(prompts.PROMPT.format(text=row["text"]))["input_ids"]
        answer = prompts.COMPLETION.format(label=row["label"])
        ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
        yield prompt, [*ids, tokenizer.eos_token_id]


def padded(batch, pad):
    """One rectangle of ids, labels and mask, as a collator of transformers makes it."""
    longest = max(len(prompt) + len(answer) for prompt, answer in batch)
    ids = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), -100)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for i, (prompt, answer) in enumerate(batch):
        length = len(prompt) + len(answer)
        ids[i, :length] = torch.tensor(prompt + answer)
        labels[i, len(prompt) : length] = torch.tensor(answer)
        mask[i, :length] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def load(args):
    base = AutoModelForCausalLM.from_pretrained(
        args.model, dtype=DTYPES[args.dtype], attn_implementation="sdpa"
    )
    model = PeftModel.from_pretrained(base, args.adapter, is_trainable=True)
    model.train()
    return model


def train(args):
    torch.set_num_threads(args.threads)
    model, tokenizer = load(args), AutoTokenizer.from_pretrained(args.model)
    examples = list(encode(tokenizer, prompts.few_shot(args.data)))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0)
    for indices in prompts.batches(len(examples), args.batch, args.steps):
        start = time.perf_counter()
        batch = [examples[i] for i in indices]
        loss = model(**padded(batch, tokenizer.pad_token_id or 0)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield {
            "loss": loss.item(),
            "step_seconds": time.perf_counter() - start,
            "tokens": sum(len(prompt) + len(answer) - 1 for prompt, answer in batch),
        }


if __name__ == "__main__":
    json.dump(list(train(arguments())), sys.stdout)
