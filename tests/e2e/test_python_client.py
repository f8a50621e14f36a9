"""The Python client and real programs; the trainer's adapter on a transformers model."""

import hashlib
import json
import sys

import pytest
import torch
from conftest import COORDINATOR, REPO
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(REPO / "clients" / "python"))

import stubs

stubs.ensure()

import prefixmem  # noqa: E402
from prefixmem import client as api  # noqa: E402


@pytest.fixture
def client(service):
    with prefixmem.Client(service.server) as client:
        yield client


def of_kind(events, cls):
    return [event for event in events if isinstance(event, cls)]


def test_a_job_from_submission_to_its_adapter_in_transformers(lab, client, tmp_path):
    spec = lab.spec("python", eval={"mode": "loss", "before": True}, labels={"test": "python"})
    (job,) = client.submit(spec)
    assert client.get("python").id == job.id
    events = list(client.watch(job))
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    states = [e.state for e in of_kind(events, api.StateEvent)]
    assert states == ["queued", "starting", "running", "succeeded"]
    assert [e.step for e in of_kind(events, api.StepEvent)] == list(range(1, 13))
    evals = of_kind(events, api.EvalEvent)

    (row,) = client.results({"test": "python"})
    assert (row["job"], row["state"], row["steps"]) == (job.id, "succeeded", 12)
    assert (row["before"], row["after"]) == (evals[0].value, evals[1].value)
    assert row["label.test"] == "python" and row["method"] == "prefix_memory"
    assert list(client.results().to_pandas()["job"]) == [j.id for j in client.jobs()[::-1]]

    files = client.download(job, tmp_path)
    known = {tmp_path / a.path: a.sha256 for a in client.artifacts(job) if a.kind != "checkpoint"}
    assert {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in files} == known
    model = AutoModelForCausalLM.from_pretrained(lab.model)
    before, after = mean_loss(lab, model), None
    prefixmem.apply(model, tmp_path / "adapter")
    after = mean_loss(lab, model)
    assert after < before
    assert [before, after] == pytest.approx([e.value for e in evals], rel=1e-4)


def mean_loss(lab, model):
    """Of a label token over all rows."""
    tokenizer = AutoTokenizer.from_pretrained(lab.model)
    losses = []
    for line in lab.data.read_text().splitlines():
        row = json.loads(line)
        prompt = tokenizer(row["text"] + "\n")["input_ids"]
        answer = tokenizer(" " + row["label"], add_special_tokens=False)["input_ids"]
        answer = torch.tensor([*answer, tokenizer.eos_token_id])
        ids = torch.cat([torch.tensor(prompt), answer])[None]
        with torch.no_grad():
            logits = model(ids).logits[0, len(prompt) - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, answer, reduction="none"))
    return torch.cat(losses).mean().item()


def test_logs(lab, client):
    cut = {"data__max_tokens": 12, "data__overflow": "truncate_left"}
    (job,) = client.submit(lab.spec("logged", train__max_steps=1, **cut))
    followed = list(client.logs(job, follow=True))
    logged = of_kind(client.watch(job), api.LogEvent)
    told = [(e.time, e.attempt, e.rank, e.level, e.message) for e in logged]
    for lines in (followed, client.logs("logged")):
        assert [(x.time, x.attempt, x.rank, x.level, x.message) for x in lines] == told
    assert any("longer than 12 tokens" in message for *_, message in told)


def test_a_sweep_as_a_mapping(lab, client):
    spec = json.loads(lab.spec("grid", train__max_steps=2, eval=None).read_text())
    spec["sweep"] = {"grid": {"train.seed": [1, 2]}}
    first, second = client.submit(spec, idempotency_key="grid")
    assert first.sweep_id == second.sweep_id != ""
    assert [j.id for j in client.submit(spec, idempotency_key="grid")] == [first.id, second.id]
    assert {client.wait(j).state for j in (first, second)} == {api.JobState.SUCCEEDED}
    rows = client.results(first.sweep_id)
    assert [row["label.sweep.train.seed"] for row in rows] == ["1", "2"]


def test_a_search_to_its_end(lab, client):
    spec = json.loads(lab.spec("search", train__max_steps=2, train__eval_every=1).read_text())
    spec["sweep"] = {
        "search": "random",
        "budget": {"trials": 3},
        "max_concurrent": 1,
        "space": {"train.weight_decay": {"type": "uniform", "low": 0.1, "high": 0.2}},
    }
    (first,) = client.submit(spec)
    sweep = client.wait_sweep(first.sweep_id)
    assert (sweep.state, sweep.trials.succeeded, sweep.trials.open) == ("finished", 3, 0), sweep
    assert len(client.results("search")) == 3
    with pytest.raises(api.FailedPrecondition, match="has already ended: finished"):
        client.cancel_sweep("search")


def test_a_job_as_its_own_spec(lab, client):
    """What comes back as a dict goes in again."""
    (job,) = client.submit(lab.spec("again", train__max_steps=1))
    (copy,) = client.submit(job.spec)
    assert copy.id != job.id and copy.spec == job.spec
    for made in (job, copy):
        client.wait(made)


def test_refusals(lab, client):
    with pytest.raises(api.InvalidArgument, match=r"train\.learning_rate"):
        client.submit(lab.spec("bad", train__learning_rate=-1))
    with pytest.raises(api.NotFound, match="nothing-like-it"):
        client.get("nothing-like-it")
    (job,) = client.submit(lab.spec("short", train__max_steps=1))
    assert client.wait(job).state is api.JobState.SUCCEEDED
    with pytest.raises(api.FailedPrecondition, match=job.id):
        client.cancel(job)


def test_cancel(lab, client):
    (job,) = client.submit(lab.spec("endless", train__max_steps=100000))
    for event in client.watch(job):
        if isinstance(event, api.StepEvent):
            break
    client.cancel(job)
    assert client.wait(job).state is api.JobState.CANCELLED


def test_watching_over_a_killed_coordinator(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    with prefixmem.Client(cluster.server) as client:
        (job,) = client.submit(lab.spec("outlived", train__max_steps=300))
        seen = []
        for event in client.watch(job):
            seen.append(event)
            if isinstance(event, api.StepEvent) and event.step == 10:
                cluster.coordinator.kill()
                cluster.restart_coordinator()
        assert [e.number for e in seen] == list(range(1, len(seen) + 1))
        assert [e.step for e in of_kind(seen, api.StepEvent)] == list(range(1, 301))
        assert seen[-1].state is api.JobState.SUCCEEDED
        assert list(client.watch(job)) == seen


def test_workers(client):
    (worker,) = client.workers()
    assert (worker.state, worker.slots, worker.device) == ("connected", 2, "cpu")
