"""Which checkpoints and adapters a job keeps."""

import json
import os
import signal
import subprocess

import pytest
from conftest import BUILD, Agent, evals, losses, run
from test_bank import Bank

CANCELLED = 17
STEPS, EVERY = 24, 4
LORA = {"method": {"type": "lora", "r": 8}, "train__learning_rate": 0.05}
FULL = {"method": "full", "train__learning_rate": 0.01}
BEST = {
    "train__max_steps": STEPS,
    "train__eval_every": EVERY,
    "train__keep_best": True,
    "train__schedule": "constant",
    "train__warmup_steps": 0,
    "eval__mode": "loss",
    "eval__before": True,
    **LORA,
}


@pytest.fixture
def wrong(workspace):
    """Held-out rows of which training makes the loss worse before its end."""
    file = workspace.folder / "wrong.jsonl"
    labels = ["pin", "rate", "card", "lost", "top up"]
    rows = [json.loads(line) for line in workspace.data.read_text().splitlines()]
    workspace.write_rows(file, [row | {"label": labels[i % 5]} for i, row in enumerate(rows)])
    return {"data__eval": str(file)}


def best_step(out):
    """By the least loss, the first of equals, of what was trained."""
    return min((e for e in evals(out) if e[0] > 0), key=lambda e: e[2])[0]


def files(folder):
    """{name: bytes}"""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def kept(out):
    """The only best adapter, by its step."""
    (folder,) = (out / "best_adapter").iterdir()
    return folder, int(folder.name.removeprefix("step-"))


@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full"])
def test_the_best_adapter_is_that_of_its_step(workspace, wrong, method):
    changes = BEST | method | wrong
    out = workspace.train("best", **changes)
    folder, step = kept(out)
    assert step == best_step(out)
    assert step < STEPS, f"the last is the best: {evals(out)}"
    stopped_there = workspace.train("stopped-there", **(changes | {"train__max_steps": step}))
    assert files(folder) == files(stopped_there / "adapter")
    verified = subprocess.run(
        [BUILD / "bin" / "pmt-adapter", "verify", folder], capture_output=True, text=True
    )
    assert verified.stdout.startswith("APPLIED"), verified


def stopped_and_resumed(workspace, changes, steps):
    """The folder of a run that is stopped once it has told each of these steps."""
    spec, out = workspace.spec("stopped", **changes), workspace.folder / "out-stopped"
    for step in steps:
        agent = Agent(workspace.folder / f"s{step}")
        command = workspace.command(spec, out, 1, ["--resume", "--events", agent.path])
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        agent.wait_for(lambda line, step=step: line.get("step", {}).get("step") == step)
        os.kill(process.pid, signal.SIGTERM)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == CANCELLED, errors
        agent.close()
    workspace.run(spec, out, 1, ["--resume"])
    return out


def test_it_is_the_same_however_often_the_job_is_stopped(workspace, wrong):
    changes = BEST | wrong | {"train__checkpoint_every": 1}
    whole = workspace.train("whole", **changes)
    out = stopped_and_resumed(workspace, changes, (EVERY + 1, 2 * EVERY))
    assert kept(out)[1] == best_step(out) < STEPS
    assert files(kept(out)[0]) == files(kept(whole)[0])
    assert losses(out) == losses(whole)


def test_what_another_job_had_trained_is_no_best(workspace, wrong):
    """Nor once the job that goes on from it has been stopped."""
    gentle = {"train__learning_rate": 0.01, "train__max_steps": STEPS - EVERY}
    first = workspace.train("first", **(BEST | gentle))
    (checkpoint,) = (first / "checkpoints").iterdir()
    wild = {"train__learning_rate": 1.0, "train__max_steps": 2 * STEPS}
    changes = BEST | wrong | wild | {"train__continue_from": str(checkpoint)}
    whole = workspace.train("whole", **changes)
    before, *after = evals(whole)
    assert before[0] == STEPS - EVERY
    assert min(value for _, _, value in after) > before[2], "nothing would tell them apart"
    out = stopped_and_resumed(workspace, changes, (STEPS - EVERY + 1, STEPS + 1))
    assert kept(out)[1] == kept(whole)[1] == min(after, key=lambda e: e[2])[0]
    assert files(kept(out)[0]) == files(kept(whole)[0])


def test_each_trial_of_a_bank_has_its_own(workspace, wrong):
    exact = {"train__deterministic": True}
    changes = [BEST, BEST | wrong | {"train__seed": 1}, {"train__eval_every": EVERY}]
    alone = [workspace.train(f"alone{i}", **(c | exact)) for i, c in enumerate(changes)]
    bank = Bank(workspace, "bank", changes, **exact)
    bank.run()
    for out, want in zip(bank.outs[:2], alone[:2], strict=True):
        assert kept(out)[1] == kept(want)[1]
        assert files(kept(out)[0]) == files(kept(want)[0])
    assert not (bank.outs[2] / "best_adapter").exists(), "nobody asked for it"


def test_as_many_checkpoints_are_kept_as_asked_for(workspace):
    changes = {"train__checkpoint_every": 1, "train__max_steps": 6}
    counts = [None, 1, 4]
    for count in counts:
        out = workspace.train(
            f"kept-{count or 'default'}", train__keep_checkpoints=count, **changes
        )
        names = sorted(file.name for file in (out / "checkpoints").iterdir())
        assert names == [f"step-{step:08}.safetensors" for step in range(1, 7)][-(count or 2) :]


def test_another_run_does_not_begin_where_a_best_adapter_lies(workspace):
    out = workspace.folder / "out-taken"
    (out / "best_adapter" / "step-00000003").mkdir(parents=True)
    errors = run(workspace.command(workspace.spec("taken"), out), 13)
    assert "already holds a run (best_adapter)" in errors
