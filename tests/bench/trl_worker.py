"""TRL's side of dpo.py: its DPOTrainer on a PEFT LoRA.

    trl_worker.py QUESTION.json

prints {"losses", "seconds"} of each step; the question is that of peft_worker.py.
"""

import contextlib
import json
import pathlib
import sys
import tempfile
import time

import datasets
import peft
import peft_worker
import torch
import transformers
import trl


class Watch(transformers.TrainerCallback):
    """Of each step from its first forward to its update."""

    def __init__(self):
        self.seconds, self.start = [], 0

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


class Trainer(trl.DPOTrainer):
    """Keeps the losses as they are: the log rounds them."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.losses = []

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.item())
        return loss


def ordered_pairs(question):
    lines = pathlib.Path(question["data"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(lines[i]) for batch in question["batches"] for i in batch]


def settings(question, folder):
    """bf16 is what TRL does unless told otherwise: autocast, over a base of that type."""
    return trl.DPOConfig(
        output_dir=folder,
        max_steps=question["steps"],
        per_device_train_batch_size=question["batch"],
        train_sampling_strategy="sequential",
        learning_rate=question["rate"],
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        weight_decay=0.0,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=question["dtype"] == "bf16",
        gradient_checkpointing=False,
        disable_tqdm=True,
    )


def train(question, folder):
    watch = Watch()
    config = peft.PeftConfig.from_pretrained(question["adapter"])
    config.inference_mode = False
    # A new adapter, whose reference is the base: TRL keeps one that is read a second time for that.
    trainer = Trainer(
        model=peft_worker.load_base(question),
        peft_config=config,
        args=settings(question, folder),
        processing_class=transformers.AutoTokenizer.from_pretrained(question["model"]),
        train_dataset=datasets.Dataset.from_list(ordered_pairs(question)),
        callbacks=[watch],
    )
    weights = peft.load_peft_weights(question["adapter"], device="cpu")
    peft.set_peft_model_state_dict(trainer.model, weights)
    trainer.train()
    return {"losses": trainer.losses, "seconds": watch.seconds}


def main():
    question = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(question["threads"])
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        answer = train(question, folder)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
