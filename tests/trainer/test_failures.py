"""Each failure ends in one clear sentence and its exit code, on one rank and on two."""

import json
import os
import re
import resource
import select
import signal
import socket
import subprocess

import pytest
from conftest import TRAINER, Agent, losses, metrics

INVALID, NOT_FOUND, PRECONDITION, DATA_LOSS, EXHAUSTED = 11, 12, 13, 14, 15
UNAVAILABLE, CANCELLED = 16, 17
ADDRESSES = 5 * 2**28  # bytes; more than the program maps, less than with that job's activations


def failure(workspace, code, ranks=1, extra=(), **changes):
    """The sentence that the run ends with; the run must end with `code`."""
    spec = workspace.spec("failing", **changes)
    errors = workspace.run(spec, workspace.folder / "out-failing", ranks, extra, code)
    lines = [line for line in errors.splitlines() if line.startswith("pmt-trainer: ")]
    assert len(lines) == 1, errors
    return lines[0].removeprefix("pmt-trainer: ")


@pytest.fixture(params=[1, 2], ids=["alone", "gang"])
def ranks(request):
    return request.param


def test_missing_model(workspace, ranks):
    sentence = failure(workspace, NOT_FOUND, ranks, model="/nowhere/model")
    assert "/nowhere/model" in sentence


def test_truncated_safetensors(workspace, ranks):
    weights = workspace.model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "model.safetensors" in failure(workspace, DATA_LOSS, ranks)


def test_loss_that_is_not_a_number(workspace, ranks):
    changes = {"method": "lora", "train__learning_rate": 1e30, "train__warmup_steps": 0}
    agent = Agent(workspace.folder / "s")
    sentence = failure(workspace, PRECONDITION, ranks, ["--events", agent.path], **changes)
    agent.close()
    assert sentence.startswith("loss is nan at step 2") and "lower train.learning_rate" in sentence
    out = workspace.folder / "out-failing"
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "FAILED_PRECONDITION" and result["message"] == sentence
    # The step is told, for an alert, but has not been taken.
    told = [line["step"] for line in agent.lines if "step" in line]
    assert [(step["step"], step["loss"]) for step in told] == [(1, losses(out)[0]), (2, "nan")]
    assert [step["step"] for step in metrics(out)] == [1]


def test_out_of_memory(workspace):
    texts = (f"{i}: where is my card? " * 4 for i in range(10000, 15000))
    rows = [{"prompt": text, "completion": "card"} for text in texts]
    workspace.write_rows(workspace.data, rows)
    spec = workspace.spec(
        "large",
        method="full",  # which keeps more for its backward pass
        data={"train": str(workspace.data)},
        eval=None,
        train__max_steps=1,
        train__global_batch_size=len(rows),
        train__micro_batch_tokens=10**9,
    )
    command = workspace.command(spec, workspace.folder / "out-large")
    limit = (ADDRESSES, ADDRESSES)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    assert done.returncode == EXHAUSTED, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("pmt-trainer: "))
    said = re.fullmatch(
        r"pmt-trainer: out of memory \(.*tried to allocate (\d+) bytes.*; this rank had (\d+) MiB "
        r"at its fullest\); lower train.micro_batch_tokens .*",
        line,
    )
    assert said, line
    assert int(said[1]) > 2**20 and int(said[2]) > 200


def test_no_label_token(workspace, ranks):
    workspace.write_rows(
        workspace.data, [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": ""}]
    )
    sentence = failure(
        workspace, INVALID, ranks, data__format="prompt_completion", eval__mode="loss"
    )
    assert sentence == f"{workspace.data} line 2 has no label token: its completion is empty"


def test_completion_that_does_not_fit(workspace):
    workspace.write_rows(workspace.data, [{"prompt": "a", "completion": "b" * 200}])
    sentence = failure(workspace, INVALID, data__format="prompt_completion", eval__mode="loss")
    assert "line 1 holds a completion that does not fit" in sentence
    assert "at most 128" in sentence


def test_refused_spec(workspace, ranks):
    sentence = failure(workspace, INVALID, ranks, train__learning_rate=-1)
    assert "train.learning_rate" in sentence and "-1" in sentence


def test_unknown_key(workspace):
    assert "train.learning_rat" in failure(workspace, INVALID, train__learning_rat=1)


def test_sweep_is_the_coordinators(workspace):
    sentence = failure(workspace, INVALID, sweep={"grid": {"train.seed": [1, 2]}})
    assert "sweep" in sentence


def test_unknown_eval_label(workspace):
    held_out = workspace.folder / "eval.jsonl"
    workspace.write_rows(held_out, [{"text": "x", "label": "card"}, {"text": "x", "label": "new"}])
    sentence = failure(workspace, INVALID, data__eval=str(held_out))
    assert f'{held_out} line 2: label "new" does not occur in {workspace.data}' == sentence


def test_damaged_row(workspace):
    workspace.data.write_text(workspace.data.read_text() + '{"text": "x", "lab')
    assert "line 24 is not valid JSON: it ends too early" in failure(workspace, INVALID)


def test_a_folder_with_a_run_needs_resume(workspace):
    out = workspace.train("twice")
    errors = workspace.run(workspace.spec("twice"), out, code=PRECONDITION)
    assert "already holds a run" in errors


def test_resume_refuses_another_job(workspace):
    out = workspace.train("job", train__checkpoint_every=4)
    other = workspace.spec("job", train__checkpoint_every=2, train__seed=7)
    errors = workspace.run(other, out, extra=["--resume"], code=PRECONDITION)
    assert "whose spec differs in train.seed" in errors


def test_resume_refuses_other_rows(workspace):
    out = workspace.train("job")
    workspace.data.write_text(workspace.data.read_text().replace("card lost", "card found"))
    errors = workspace.run(workspace.spec("job"), out, extra=["--resume"], code=PRECONDITION)
    assert "the data file has changed" in errors


def test_version_and_usage():
    version = subprocess.run([TRAINER, "--version"], check=False, capture_output=True, text=True)
    assert version.returncode == 0 and version.stdout.startswith("pmt-trainer ")
    assert subprocess.run([TRAINER], check=False, capture_output=True).returncode == 2


def test_events_go_to_the_agent(workspace, ranks):
    agent = Agent(workspace.folder / "s")
    out = workspace.train("events", ranks, ["--events", agent.path], train__checkpoint_every=4)
    agent.close()
    hellos = [line["hello"] for line in agent.lines if "hello" in line]
    assert sorted(hello["rank"] for hello in hellos) == list(range(ranks))
    text = [json.dumps(line) for line in agent.lines]
    assert len(losses(out)) == 8
    assert sum("checkpoints/step-" in line for line in text) == 2
    assert sum('"adapter"' in line for line in text) >= 1


def test_a_rank_ends_with_its_agent(workspace):
    agent = Agent(workspace.folder / "s")
    spec = workspace.spec("orphan", train__max_steps=1000000)
    process = subprocess.Popen(
        workspace.command(spec, workspace.folder / "out", 1, ["--events", agent.path]),
        stderr=subprocess.PIPE,
        text=True,
    )
    agent.wait_for(lambda line: "step" in line)
    for connection in agent.connections:
        connection.shutdown(socket.SHUT_RDWR)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == UNAVAILABLE and "agent" in errors


def test_a_lost_rank_ends_the_gang(workspace):
    agent = Agent(workspace.folder / "s")
    spec = workspace.spec("lost", train__max_steps=1000000)
    process = subprocess.Popen(
        workspace.command(spec, workspace.folder / "out", 2, ["--events", agent.path]),
        stderr=subprocess.PIPE,
        text=True,
    )
    agent.wait_for(lambda line: line.get("hello", {}).get("rank") == 1)
    agent.wait_for(lambda line: "step" in line)
    pids = {h["rank"]: h["pid"] for h in (x.get("hello") for x in list(agent.lines)) if h}
    first = os.pidfd_open(pids[0])  # readable once the process has ended
    os.kill(pids[1], signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode != 0
    ended, _, _ = select.select([first], [], [], 10)
    os.close(first)
    assert ended, "rank 0 outlives its gang"


def test_mpirun_passes_a_stop_on(workspace):
    """SIGUSR1, because mpirun gives its ranks no more than a second or two after a SIGTERM."""
    agent = Agent(workspace.folder / "s")
    spec = workspace.spec("stop", train__max_steps=1000000)
    out = workspace.folder / "out"
    process = subprocess.Popen(
        workspace.command(spec, out, 2, ["--events", agent.path]), stderr=subprocess.PIPE, text=True
    )
    agent.wait_for(lambda line: "step" in line)
    process.send_signal(signal.SIGUSR1)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == CANCELLED, errors
    assert "stopped by a signal after step" in errors
    assert len(list((out / "checkpoints").iterdir())) == 1
