"""The same job: equal losses however it is cut, equal bits wherever it is stopped."""

import json
import math
import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import Agent, adapter_bytes, evals, losses, metrics

METHODS = [{"type": "prefix_memory"}, {"type": "lora", "r": 4, "alpha": 8}, {"type": "full"}]
FAILED_PRECONDITION, CANCELLED = 13, 17
# Adam's first steps blow up the rounding of gradients near zero, of which a whole model has many.
RATES = {"full": 2e-3}


def largest_difference(a, b):
    assert len(a) == len(b)
    return max(abs(x - y) for x, y in zip(a, b))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["type"])
def test_ranks_and_micro_batches_change_nothing(workspace, method):
    changes = {"method": method, "train__learning_rate": RATES.get(method["type"], 0.02)}
    expected = losses(workspace.train("whole", **changes))
    assert len(expected) == 8
    for tokens in (1, 60):
        out = workspace.train(f"micro{tokens}", train__micro_batch_tokens=tokens, **changes)
        assert largest_difference(losses(out), expected) < 1e-5
    for ranks in (2, 3):
        out = workspace.train(f"ranks{ranks}", ranks=ranks, **changes)
        assert largest_difference(losses(out), expected) < 1e-5
    cut = workspace.train("both", ranks=2, train__micro_batch_tokens=40, **changes)
    assert largest_difference(losses(cut), expected) < 1e-5


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["type"])
def test_training_lowers_the_loss_and_raises_accuracy(workspace, method):
    out = workspace.train(
        "learn", method=method, train__max_steps=60, train__schedule="constant", eval__before=True
    )
    curve = losses(out)
    assert curve[-1] < 0.5 * curve[0]
    evals = json.loads((out / "result.json").read_text())["evals"]
    assert [e["step"] for e in evals] == [0, 60]
    assert evals[1]["value"] > evals[0]["value"]


def test_the_same_job_twice_has_the_same_bits(workspace):
    first, second = workspace.train("first", ranks=2), workspace.train("second", ranks=2)
    assert losses(first) == losses(second)
    assert adapter_bytes(first) == adapter_bytes(second)


def test_activations_computed_again_change_no_bit(workspace):
    kept = workspace.train("kept")
    computed = workspace.train("computed", train__activation_checkpointing="on")
    spec = workspace.spec("auto", train__activation_checkpointing="auto")
    out = workspace.folder / "out-auto"
    assert "backward computes 0 of 2 layers again" in workspace.run(spec, out)
    for other in (computed, out):
        assert losses(other) == losses(kept)
        assert adapter_bytes(other) == adapter_bytes(kept)


def wait_for_step(out, step, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if (out / "metrics.jsonl").read_text().count("\n") >= step:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.002)
    assert process.poll() is None, f"ended with {process.returncode} before step {step}"


def ranks_of(process):
    """Process ids of the ranks below mpirun, or of the rank itself."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children] or [process.pid]


class SignallingAgent(Agent):
    """Signals to every rank as soon as one has told a step from that on."""

    def __init__(self, path, ranks, step, number):
        self.ranks, self.step, self.number = ranks, step, number
        super().__init__(path)

    def take(self, line, connection):
        super().take(line, connection)
        pids = [line["hello"]["pid"] for line in list(self.lines) if "hello" in line]
        if len(pids) == self.ranks and line.get("step", {}).get("step", 0) >= self.step:
            self.step = math.inf  # once
            for pid in pids:
                os.kill(pid, self.number)


@pytest.mark.parametrize(
    "method, ranks, dtype, sharded",
    [
        (METHODS[0], 1, "fp32", False),
        (METHODS[1], 2, "fp32", False),
        (METHODS[0], 2, "bf16", True),
        (METHODS[2], 2, "bf16", False),
    ],
    ids=["alone", "gang", "sharded-base", "full"],
)
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_stopped_and_resumed_is_never_stopped(workspace, how, method, ranks, dtype, sharded):
    steps = 60
    changes = {
        "method": method,
        "train__dtype": dtype,
        "train__max_steps": steps,
        "train__checkpoint_every": 1,
        "train__eval_every": 20,
        "train__max_grad_norm": 1.0,
    }
    whole = workspace.train("whole", ranks=ranks, **changes)
    spec = workspace.spec("stopped", resources__shard_base=sharded, **changes)
    out = workspace.folder / "out-stopped"
    for step in (1, 7, 19):
        agent = SignallingAgent(workspace.folder / f"s{step}", ranks, step, getattr(signal, how))
        process = subprocess.Popen(
            workspace.command(spec, out, ranks, ["--resume", "--events", agent.path]),
            stderr=subprocess.PIPE,
            text=True,
        )
        errors = process.communicate(timeout=60)[1]
        agent.close()
        assert process.returncode != 0, "it was not stopped"
        assert how == "SIGKILL" or process.returncode == CANCELLED, errors
    workspace.run(spec, out, ranks, ["--resume"])
    assert [m["step"] for m in metrics(out)] == list(range(1, steps + 1))
    assert losses(out) == losses(whole)
    assert adapter_bytes(out) == adapter_bytes(whole)
    assert evals(out) == evals(whole)
    assert len(list((out / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize(
    "method",
    [
        {"type": "prefix_memory", "feature_map": "mlp"},
        {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.2},
        {"type": "prefix_tuning", "num_virtual_tokens": 3},
    ],
    ids=lambda m: m["type"],
)
def test_deterministic_has_the_same_bits_on_any_ranks(workspace, method):
    changes = {
        "method": method,
        "train__deterministic": True,
        "train__max_steps": 20,
        "train__max_grad_norm": 0.5,
        "train__checkpoint_every": 1,
        "eval__mode": "loss",
    }
    whole = workspace.train("alone", **changes)
    for ranks in (2, 4):
        out = workspace.train(f"ranks{ranks}", ranks=ranks, **changes)
        assert losses(out) == losses(whole)
        assert [m["grad_norm"] for m in metrics(out)] == [m["grad_norm"] for m in metrics(whole)]
        assert adapter_bytes(out) == adapter_bytes(whole)
        assert evals(out) == evals(whole)

    spec = workspace.spec("moved", **changes)
    out = workspace.folder / "out-moved"
    for step, ranks in ((3, 2), (11, 1)):
        process = subprocess.Popen(
            workspace.command(spec, out, ranks, ["--resume"]), stderr=subprocess.PIPE, text=True
        )
        wait_for_step(out, step, process)
        for pid in ranks_of(process):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=60)
    workspace.run(spec, out, 3, ["--resume"])
    assert losses(out) == losses(whole)
    assert adapter_bytes(out) == adapter_bytes(whole)


def newest_checkpoint(out):
    return str(max((out / "checkpoints").iterdir()))


@pytest.mark.parametrize(
    "method, ranks",
    [(METHODS[0], 2), (METHODS[1], 1), (METHODS[2], 2)],
    ids=["memory", "lora", "full"],
)
def test_going_on_from_another_job_is_one_job(workspace, method, ranks):
    changes = {"method": method, "train__schedule": "constant", "train__eval_every": 4}
    whole = workspace.train("whole", ranks, train__max_steps=12, **changes)
    first = workspace.train("first", ranks, **changes)
    changes["train__continue_from"] = newest_checkpoint(first)
    second = workspace.train("second", ranks, train__max_steps=12, **changes)
    assert [m["step"] for m in metrics(second)] == [9, 10, 11, 12]
    assert losses(first) + losses(second) == losses(whole)
    assert adapter_bytes(second) == adapter_bytes(whole)
    assert evals(first) + evals(second) == evals(whole), "none twice"
    told = json.loads((second / "result.json").read_text())
    assert told["steps"] == 12

    slower = workspace.train(
        "slower", ranks, train__max_steps=12, train__learning_rate=0.001, **changes
    )
    assert [m["learning_rate"] for m in metrics(slower)] == [0.001] * 4
    assert losses(slower)[0] == losses(second)[0], "the loss before the first step of its own"
    assert adapter_bytes(slower) != adapter_bytes(second)


def test_one_that_goes_on_is_resumed_from_its_own_checkpoint(workspace):
    first = workspace.train("first")
    changes = {"train__continue_from": newest_checkpoint(first), "train__checkpoint_every": 1}
    whole = workspace.train("whole", train__max_steps=40, **changes)
    spec = workspace.spec("stopped", train__max_steps=40, **changes)
    out = workspace.folder / "out-stopped"
    process = subprocess.Popen(
        workspace.command(spec, out, 1, ["--resume"]), stderr=subprocess.PIPE, text=True
    )
    wait_for_step(out, 3, process)
    process.send_signal(signal.SIGTERM)
    assert "going on after step 8 of another job" in process.communicate(timeout=60)[1]
    assert process.returncode == 17
    assert "resuming after step" in workspace.run(spec, out, extra=["--resume"])
    assert losses(out) == losses(whole)
    assert adapter_bytes(out) == adapter_bytes(whole)


def test_what_a_job_cannot_go_on_from(workspace):
    first = workspace.train("first")
    from_it = {"train__continue_from": newest_checkpoint(first)}

    def refusal(name, **changes):
        out = workspace.folder / f"out-{name}"
        return workspace.run(
            workspace.spec(name, **from_it, **changes), out, code=FAILED_PRECONDITION
        )

    assert "a checkpoint of step 8, but training ends with step 8; allowed:" in refusal("over")
    other = refusal("other", train__max_steps=12, train__seed=3, method={"type": "lora", "r": 2})
    assert "differs in method.feature_dim" in other and "train.seed" in other
    assert "; allowed: train.learning_rate, " in other


def test_a_damaged_checkpoint_is_passed_over(workspace):
    changes = {"train__checkpoint_every": 2}
    whole = workspace.train("whole", **changes)
    out = workspace.train("damaged", **changes)
    newest = max((out / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    errors = workspace.run(workspace.spec("damaged", **changes), out, extra=["--resume"])
    assert f"checkpoint {newest} is damaged and passed over" in errors
    assert "resuming after step 6" in errors
    assert losses(out) == losses(whole)
    assert adapter_bytes(out) == adapter_bytes(whole)
