"""One run of pmt-trainer, of PEFT or of TRL on the same rows, in a process of its own."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import rows
from contest import Run
from harness import REPO, build_folder

sys.path.insert(0, str(REPO / "tests" / "trainer"))
sys.path.insert(0, str(REPO / "deploy" / "local"))
import conftest as trainer
from programs import die_with_parent

HERE = pathlib.Path(__file__).resolve().parent
LORA = {"type": "lora", "r": 8, "alpha": 16, "target_modules": ["all-linear"]}
MEMORY = {"type": "prefix_memory"}
PREFIX = {"type": "prefix_tuning", "num_virtual_tokens": 20}
PREFIX_RATE = 1e-2  # at the others' a prefix hardly moves, and there is nothing to compare


@dataclasses.dataclass(frozen=True)
class Task:
    """Rows to train on once, in the trainer's order. Both sides see the same batches."""

    model: pathlib.Path
    data: pathlib.Path  # rows of {prompt, completion}, or of preference pairs
    folder: pathlib.Path  # for specs and output
    batch: int
    steps: int
    threads: int
    rate: float = 3e-4
    objective: str = "sft"

    def batches(self):
        return rows.batches(len(rows.read(self.data)), self.batch, 0, self.steps)

    def as_json(self):
        values = dataclasses.asdict(self) | {"batches": self.batches()}
        return {key: str(v) if isinstance(v, pathlib.Path) else v for key, v in values.items()}


def task(model, made_rows, folder, **settings):
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    return Task(model, rows.write(folder / "rows.jsonl", made_rows), folder, **settings)


def measured(command):
    """Runs a command; its stdout, and the peak of its resident bytes as the kernel counts it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            list(map(str, command)), stdout=out, stderr=errors, preexec_fn=die_with_parent
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{errors.read()[-3000:]}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def train(command, spec, folder):
    """Runs pmt-trainer on a spec; (its output folder, peak bytes)."""
    out = pathlib.Path(tempfile.mkdtemp(dir=folder))
    file = out / "job.yaml"
    file.write_text(json.dumps(spec))
    _, peak = measured([*command, build_folder() / "bin" / "pmt-trainer", file, "--out", out])
    return out, peak


def pmt(task, method, dtype, ranks=1, **settings):
    """`settings` are keys of train."""
    form = "preference" if task.objective == "dpo" else "prompt_completion"
    spec = {
        "name": "bench",
        "model": str(task.model),
        "method": method,
        "objective": task.objective,
        "data": {"train": str(task.data), "format": form},
        "train": {
            "max_steps": task.steps,
            "global_batch_size": task.batch,
            "learning_rate": task.rate,
            "dtype": dtype,
            **settings,
        },
        "resources": {"device": "cpu", "threads": task.threads // ranks},
    }
    launcher = [] if ranks == 1 else [*trainer.MPIRUN, "-n", ranks]
    return train(launcher, spec, task.folder)


def ours(task, method, dtype, ranks=1):
    """A Run of pmt-trainer; over several ranks the memory is their PSS after a step."""
    out, peak = pmt(task, method, dtype, ranks)
    steps = trainer.metrics(out)
    if ranks > 1:
        peak = max(step["resident_bytes"] for step in steps)
    return Run(
        [step["loss"] for step in steps],
        [step["step_seconds"] for step in steps],
        peak,
        [step["allreduce_seconds"] for step in steps],
    )


def initial_adapter(task, method):
    """A folder both sides start from: one step in the warm-up, at rate 0, leaves it as it began."""
    one = dataclasses.replace(task, steps=1)
    return pmt(one, method, "fp32", warmup_steps=1)[0] / "adapter"


def worker(script, question):
    """(answer, peak bytes) of a worker script to a question in JSON."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(question, file, default=str)
        file.flush()
        text, peak = measured([sys.executable, HERE / script, file.name])
    return json.loads(text), peak


def theirs(task, adapter, dtype, script="peft_worker.py"):
    """A Run of PEFT (or TRL) from the adapter in this folder."""
    question = {**task.as_json(), "adapter": adapter, "dtype": dtype}
    answer, peak = worker(script, question)
    return Run(answer["losses"], answer["seconds"], peak)
