"""Trials trained together: each as alone, whoever fails, leaves or goes on."""

import json
import signal
import subprocess

import pytest
from conftest import TRAINER, Agent, adapter_bytes, evals, losses, metrics, run

INVALID = 11

LONG = 200  # steps: a trial is still running when it is asked to stop after a few


def trial(method, steps, batch, rate, seed, **more):
    return {
        "method": method,
        "train__max_steps": steps,
        "train__global_batch_size": batch,
        "train__learning_rate": rate,
        "train__seed": seed,
        "train__eval_every": 4,
    } | more


def trials(workspace):
    """Different in all that may differ."""
    memory_of_hidden = {"type": "prefix_memory", "scope": "hidden", "feature_map": "gelu"}
    dropout = {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.2}
    projection = {"type": "prefix_tuning", "num_virtual_tokens": 3, "prefix_projection": True}
    dora = {"type": "lora", "r": 2, "alpha": 4, "use_dora": True}
    return [
        trial("prefix_memory", 8, 6, 0.02, 1, train__schedule="cosine"),
        trial(memory_of_hidden, 5, 4, 0.01, 2, train__micro_batch_tokens=60),
        trial(dropout, 7, 5, 0.005, 3, train__max_grad_norm=0.5),
        trial(projection, 6, 3, 0.002, 4, train__weight_decay=0.1),
        trial(
            dora,
            6,
            2,
            0.005,
            5,
            objective={"type": "dpo", "beta": 0.3},
            **workspace.pairs(),
        ),
    ]


class Bank:
    """A bank's file and folders."""

    def __init__(self, workspace, name, changes, **common):
        self.workspace, self.name = workspace, name
        self.outs = [workspace.folder / f"{name}-{i}" for i in range(len(changes))]
        self.specs = [workspace.spec(f"{name}{i}", **(c | common)) for i, c in enumerate(changes)]
        self.file = workspace.folder / f"{name}.json"

    def command(self, ranks=1, extra=(), resume=(), only=None):
        listed = range(len(self.outs)) if only is None else only
        rows = [
            {"spec": str(self.specs[i]), "out": str(self.outs[i]), "resume": i in resume}
            for i in listed
        ]
        self.file.write_text(json.dumps({"trials": rows}))
        single = self.workspace.command("SPEC", "OUT", ranks, extra)
        at = single.index(str(TRAINER)) + 1
        return [*single[:at], "--bank", str(self.file), *extra]

    def run(self, ranks=1, extra=(), code=0, **more):
        return run(self.command(ranks, extra, **more), code)


def result(out):
    return json.loads((out / "result.json").read_text())


def assert_same_bits(out, alone):
    keys = ("step", "loss", "learning_rate", "grad_norm", "tokens", "label_tokens")
    assert [[m[k] for k in keys] for m in metrics(out)] == [
        [m[k] for k in keys] for m in metrics(alone)
    ]
    assert adapter_bytes(out) == adapter_bytes(alone)
    assert evals(out) == evals(alone)


def each_alone(workspace, ranks, changes, common):
    """The folders of the trials' runs one after another."""
    return [
        workspace.train(f"alone{i}", ranks=ranks, **(c | common)) for i, c in enumerate(changes)
    ]


@pytest.fixture(params=[1, 2], ids=["alone", "gang"])
def ranks(request):
    return request.param


def test_each_trial_is_as_alone(workspace, ranks):
    changes = trials(workspace)
    exact = {"train__deterministic": True}
    alone = each_alone(workspace, ranks, changes, exact)
    bitwise = Bank(workspace, "bitwise", changes, **exact)
    bitwise.run(ranks)
    for out, want in zip(bitwise.outs, alone):
        assert_same_bits(out, want)
    cut = Bank(workspace, "cut", changes, resources__shard_base=True, **exact)
    cut.run(ranks)
    for out, want in zip(cut.outs, alone):
        assert_same_bits(out, want)
    joined = Bank(workspace, "joined", changes)
    joined.run(ranks)
    for out, want in zip(joined.outs, alone):
        got, expected = losses(out), losses(want)
        assert len(got) == len(expected)
        assert abs(got[0] - expected[0]) <= 1e-6 * abs(expected[0])
        for a, b in zip(got, expected):
            assert abs(a - b) <= 1e-5 * abs(b)
        assert result(out)["status"] == "OK"


def test_the_agent_hears_of_each_trial(workspace, ranks):
    agent = Agent(workspace.folder / "s")
    bank = Bank(workspace, "told", trials(workspace)[:3])
    bank.run(ranks, ["--events", agent.path])
    agent.close()
    for i, out in enumerate(bank.outs):
        own = [line for line in agent.lines if line.get("trial") == i]
        assert [line["step"]["step"] for line in own if "step" in line] == [
            m["step"] for m in metrics(out)
        ]
        assert "phase" in own[0] and own[0]["phase"]["phase"] == "loading"
        assert "result" in own[-1] and own[-1]["result"]["steps"] == len(metrics(out))
    assert all("trial" in line for line in agent.lines if "hello" not in line)


def test_one_that_diverges_ends_alone(workspace, ranks):
    exact = {"train__deterministic": True}
    changes = trials(workspace)[:2]
    wild = trial("lora", 8, 6, 1e30, 1, train__warmup_steps=0)
    alone = each_alone(workspace, ranks, changes, exact)
    agent = Agent(workspace.folder / "s")
    bank = Bank(workspace, "wild", [changes[0], wild, changes[1]], **exact)
    errors = bank.run(ranks, ["--events", agent.path])
    agent.close()
    assert "pmt-trainer: trial 1: loss is nan at step 2" in errors
    failures = [line for line in agent.lines if "failure" in line]
    assert [line["trial"] for line in failures] == [1]
    assert failures[0]["failure"]["code"] == "FAILED_PRECONDITION"
    told = [line["step"] for line in agent.lines if line.get("trial") == 1 and "step" in line]
    assert [step["step"] for step in told] == [1, 2] and told[1]["loss"] == "nan"
    assert result(bank.outs[1])["status"] == "FAILED_PRECONDITION"
    assert_same_bits(bank.outs[0], alone[0])
    assert_same_bits(bank.outs[2], alone[1])


class StoppingAgent(Agent):
    """Asks a trial to leave once it has told a step."""

    def __init__(self, path, trial, step):
        self.trial, self.step = trial, step
        super().__init__(path)

    def take(self, line, connection):
        super().take(line, connection)
        if line.get("trial") == self.trial and line.get("step", {}).get("step") == self.step:
            connection.sendall(b'{"stop":{"trial":%d}}\n' % self.trial)


class JoiningAgent(Agent):
    """Brings in another trial once one has told a step; the ranks hear of it one by one."""

    def __init__(self, path, after, files):
        self.after = after
        self.line = json.dumps({"join": files}).encode() + b"\n"
        super().__init__(path)

    def take(self, line, connection):
        super().take(line, connection)
        if line.get("trial") == 0 and line.get("step", {}).get("step") == self.after:
            for rank in reversed(self.connections):
                rank.sendall(self.line)


def join(workspace, bank, ranks, after, out, **changes):
    """Runs the bank; the job of these changes joins it after that step of trial 0."""
    spec = workspace.spec("joining", **changes)
    agent = JoiningAgent(workspace.folder / "s", after, {"spec": str(spec), "out": str(out)})
    errors = bank.run(ranks, ["--events", agent.path])
    agent.close()
    return agent.lines, errors


def test_one_that_joins_is_as_alone_and_outlives_the_others(workspace, ranks):
    exact = {"train__deterministic": True}
    changes = trials(workspace)[:3]
    changes[0] |= {"train__max_steps": LONG, "train__eval_every": LONG}
    changes[2] |= {"train__max_steps": LONG + 50, "train__eval_every": LONG}
    alone = each_alone(workspace, ranks, changes, exact)
    bank = Bank(workspace, "open", changes[:2], **exact)
    out = workspace.folder / "joined"
    lines, _ = join(workspace, bank, ranks, 2, out, **changes[2], **exact)
    for got, want in zip([*bank.outs, out], alone, strict=True):
        assert_same_bits(got, want)
    told = [line for line in lines if line.get("trial") == 2]
    assert told[0]["phase"]["phase"] == "loading"
    assert told[-1]["result"]["steps"] == LONG + 50
    end_of_first = next(x for x in lines if x.get("trial") == 0 and "result" in x)
    assert lines.index(told[0]) < lines.index(end_of_first) < lines.index(told[-1])


def test_one_that_does_not_fit_joins_in_vain(workspace, ranks):
    changes = {"train__max_steps": LONG, "train__eval_every": LONG}
    bank = Bank(workspace, "fixed", [changes])
    out = workspace.folder / "joined"
    _, errors = join(workspace, bank, ranks, 2, out, method="full")
    assert "pmt-trainer: trial 1: method is full; allowed in a bank: methods that" in errors
    assert result(bank.outs[0])["status"] == "OK"
    assert losses(bank.outs[0]) == losses(workspace.train("plain", ranks=ranks, **changes))


def test_one_is_stopped_and_goes_on_alone_or_in_company(workspace, ranks):
    exact = {"train__deterministic": True, "train__max_steps": LONG, "train__eval_every": LONG}
    changes = trials(workspace)[:3]
    alone = each_alone(workspace, ranks, changes, exact)
    agent = StoppingAgent(workspace.folder / "s", 1, 4)
    bank = Bank(workspace, "left", changes, **exact)
    errors = bank.run(ranks, ["--events", agent.path])
    agent.close()
    assert "pmt-trainer: trial 1: stopped " in errors
    ends = [line for line in agent.lines if "failure" in line]
    assert [(line["trial"], line["failure"]["code"]) for line in ends] == [(1, "CANCELLED")]
    assert result(bank.outs[1])["status"] == "CANCELLED"
    assert 4 <= len(losses(bank.outs[1])) < LONG
    for i in (0, 2):
        assert_same_bits(bank.outs[i], alone[i])
    checkpoint = bank.outs[1] / "checkpoints"
    kept = {file.name: file.read_bytes() for file in checkpoint.iterdir()}
    told = (bank.outs[1] / "metrics.jsonl").read_bytes()

    workspace.run(bank.specs[1], bank.outs[1], ranks, ["--resume"])
    assert_same_bits(bank.outs[1], alone[1])

    for file in checkpoint.iterdir():
        file.unlink()
    for name, content in kept.items():
        (checkpoint / name).write_bytes(content)
    (bank.outs[1] / "metrics.jsonl").write_bytes(told)
    again = Bank(workspace, "again", changes, **exact)
    again.specs[1], again.outs[1] = bank.specs[1], bank.outs[1]
    again.run(ranks, resume=[1])
    for out, want in zip(again.outs, alone):
        assert_same_bits(out, want)


def test_a_signal_stops_all_and_all_go_on(workspace, ranks):
    exact = {"train__deterministic": True, "train__max_steps": LONG, "train__eval_every": LONG}
    changes = trials(workspace)[:2]
    alone = each_alone(workspace, ranks, changes, exact)
    agent = Agent(workspace.folder / "s")
    bank = Bank(workspace, "halted", changes, **exact)
    process = subprocess.Popen(
        bank.command(ranks, ["--events", agent.path]), stderr=subprocess.PIPE, text=True
    )
    agent.wait_for(lambda line: line.get("step", {}).get("step") == 3)
    process.send_signal(signal.SIGUSR1)
    errors = process.communicate(timeout=60)[1]
    agent.close()
    assert process.returncode == 0, errors
    for i, out in enumerate(bank.outs):
        assert f"pmt-trainer: trial {i}: stopped " in errors
        assert result(out)["status"] == "CANCELLED" and len(losses(out)) < LONG
    bank.run(ranks, resume=[0, 1])
    for out, want in zip(bank.outs, alone):
        assert_same_bits(out, want)


def test_one_that_cannot_begin_leaves_the_others(workspace):
    changes = [
        {},
        {"train__dtype": "bf16"},
        {"method": "full"},
        {"data__train": "/nowhere.jsonl"},
        {"train__learning_rate": -1},
        {"resources__threads": 2},
    ]
    bank = Bank(workspace, "bad", changes)
    errors = bank.run()
    for i, part in enumerate(
        [
            "train.dtype is bf16; allowed in this bank: fp32",
            "method is full; allowed in a bank: methods that train an adapter",
            "/nowhere.jsonl",
            "train.learning_rate",
            "resources.threads is 2; allowed in this bank: 1",
        ],
        start=1,
    ):
        (line,) = [x for x in errors.splitlines() if x.startswith(f"pmt-trainer: trial {i}: ")]
        assert part in line
        assert not (bank.outs[i] / "adapter").exists()
    assert result(bank.outs[0])["status"] == "OK"
    assert losses(bank.outs[0]) == losses(workspace.train("plain"))


def test_a_bank_that_is_none(workspace):
    bank = Bank(workspace, "none", [{}])
    errors = bank.run(only=[], code=INVALID)
    assert "holds no bank; allowed: one key, trials, a list" in errors
    both = [*bank.command(), str(bank.specs[0])]
    assert subprocess.run(both, check=False, capture_output=True).returncode == 2


def test_deterministic_refuses_another_machine(workspace):
    changes = {"train__deterministic": True, "train__checkpoint_every": 4}
    out = workspace.train("fixed", **changes)
    spec = workspace.spec("fixed", resources__threads=2, **changes)
    errors = workspace.run(spec, out, extra=["--resume"], code=13)
    assert "train.deterministic refuses to go on on another kind of machine" in errors
