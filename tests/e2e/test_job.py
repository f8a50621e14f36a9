"""A job goes in, is followed, and its results come out."""

import hashlib
import json
from xml.etree import ElementTree

import pytest
import torch
from jobs import losses, number, show, submit, succeeded, trainer_event
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture(scope="module")
def lora_job(lab, service):
    """A finished LoRA job: (id, events)."""
    spec = lab.spec(
        "lora",
        method={"type": "lora", "r": 4, "alpha": 8},
        eval={"mode": "loss", "before": True},
    )
    job = submit(service, spec)
    return job, succeeded(service, job)


def test_events_tell_the_whole_story(lora_job):
    job, events = lora_job
    assert [number(e) for e in events] == list(range(1, len(events) + 1))
    assert {e["job_id"] for e in events} == {job}
    states = [e["state"]["state"] for e in events if "state" in e]
    expected = ["QUEUED", "STARTING", "RUNNING", "SUCCEEDED"]
    assert states == [f"JOB_STATE_{name}" for name in expected]
    curve = losses(events)
    assert sorted(curve) == list(range(1, 13))
    assert curve[12] < curve[1]
    evals = [e for event in events if (e := trainer_event(event, "eval"))]
    assert [int(e.get("step", 0)) for e in evals] == [0, 12]
    assert evals[1]["value"] < evals[0]["value"]


def test_show_and_results(lora_job, service):
    job, _ = lora_job
    shown = show(service, job)
    assert shown["state"] == "JOB_STATE_SUCCEEDED"
    assert int(shown["progress"]["step"]) == 12
    for command in (["show", job], ["results", job], ["list"]):
        done = service.pmt(*command)
        assert done.code == 0 and "lora" in done.out, done


def test_download_and_load_with_peft(lora_job, lab, service, tmp_path):
    job, events = lora_job
    done = service.pmt("download", job, "--out", tmp_path, "-o", "json")
    assert done.code == 0, done
    listed = {file["path"]: file for file in done.json["files"]}
    for path in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
        assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == listed[path]["sha256"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["steps"] == 12
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == list(losses(events).values())
    final = [e for event in events if (e := trainer_event(event, "eval"))][-1]
    assert peft_loss(lab, tmp_path / "adapter") == pytest.approx(final["value"], rel=1e-4)


def downloaded(service, job, out):
    """The adapter's folder."""
    done = service.pmt("download", job, "--out", out)
    assert done.code == 0, done
    return out / "adapter"


def said(outcome):
    """Exit code and first word."""
    return outcome.code, outcome.out.partition(":")[0]


def test_verify_and_export(lora_job, service, tmp_path):
    job, _ = lora_job
    adapter, merged = downloaded(service, job, tmp_path / "job"), tmp_path / "merged"
    assert said(service.pmt("verify", adapter)) == (0, "APPLIED")
    assert said(service.pmt("verify", adapter.parent)) == (0, "APPLIED"), "as downloaded"
    assert said(service.pmt("verify", job)) == (0, "APPLIED"), "fetched for it"
    assert service.pmt("export", adapter, "--out", merged).code == 0
    assert said(service.pmt("verify", merged)) == (0, "APPLIED")
    assert not list(tmp_path.glob("merged.*"))


@pytest.fixture(scope="module")
def memory_job(lab, service):
    job = submit(service, lab.spec("memory", train__max_steps=2))
    succeeded(service, job)
    return job


def test_what_a_memory_does_to_attention(memory_job, service, tmp_path):
    """By the job with its rows, and by the adapter's folder with rows of ours."""
    plot = tmp_path / "attention.svg"
    done = service.pmt("diagnose", memory_job, "--rows", 3, "--plot", plot, "-o", "json")
    assert done.code == 0, done
    assert (done.json["method"], done.json["rows"]) == ("prefix_memory", 3)
    first, second = done.json["layers"]
    assert [head["map_change"] for head in first["heads"]] == [0] * 4
    assert all(head["map_change"] > 0 for head in second["heads"])
    assert all(1 < head["effective_rank"] <= 8 for head in first["terms"][0]["heads"])
    drawn = ElementTree.parse(plot).getroot()
    titles = [text.text for text in drawn.iter() if text.get("font-size") == "14"]
    assert titles == ["Change of attention", "Eigenvalues of the term memory, over the largest"]

    adapter = downloaded(service, memory_job, tmp_path / "job")
    done = service.pmt("diagnose", adapter, "--text", "card lost", "--text", "top up")
    assert done.code == 0, done
    assert done.out.startswith("prefix_memory: 2 rows, 17 tokens"), "with <s>, one a character"
    refused = service.pmt("diagnose", adapter)
    assert refused.code == 11
    assert "no rows are given; allowed: --spec" in refused.err


def test_what_a_prefix_does_to_attention(lab, service):
    method = {"type": "prefix_tuning", "num_virtual_tokens": 4}
    job = submit(service, lab.spec("prefix", method=method, train__max_steps=2))
    succeeded(service, job)
    done = service.pmt("diagnose", job, "--rows", 3, "-o", "json")
    assert done.code == 0, done
    assert (done.json["method"], done.json["prefix_length"]) == ("prefix_tuning", 4)
    for layer in done.json["layers"]:
        assert all(0 < alpha < 1 for alpha in layer["prefix_mass_by_position"])
        assert all(0 < head["effective_rank"] <= 4 for head in layer["terms"][0]["heads"])


def test_a_prefix_memory_is_verified_but_not_merged(memory_job, service, tmp_path):
    adapter = downloaded(service, memory_job, tmp_path / "job")
    assert said(service.pmt("verify", adapter)) == (0, "APPLIED")
    refused = service.pmt("export", adapter, "--out", tmp_path / "merged")
    assert refused.code == 11
    (sentence,) = refused.err.splitlines()
    assert "method prefix_memory cannot be merged into a model's weights" in sentence
    assert "prefixmem.apply(model, folder) of the Python package puts it on" in sentence
    assert not list(tmp_path.glob("merged*"))


def peft_loss(lab, adapter):
    """Mean loss of a label token over all rows, by transformers and PEFT."""
    tokenizer = AutoTokenizer.from_pretrained(lab.model)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(lab.model), adapter)
    total, count = 0.0, 0
    for line in lab.data.read_text().splitlines():
        row = json.loads(line)
        prompt = tokenizer(row["text"] + "\n")["input_ids"]
        answer = tokenizer(" " + row["label"], add_special_tokens=False)["input_ids"]
        answer = [*answer, tokenizer.eos_token_id]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        total += torch.nn.functional.cross_entropy(
            logits, torch.tensor(answer), reduction="sum"
        ).item()
        count += len(answer)
    return total / count


def test_a_sweep_with_the_untuned_model(lab, service):
    spec = lab.spec(
        "sweep",
        train__max_steps=None,
        sweep={
            "trials": [
                {"name": "sweep-base", "method": "none"},
                {"name": "sweep-memory", "method": "prefix_memory", "train.max_steps": 4},
                {"name": "sweep-lora", "method": {"type": "lora", "r": 2}, "train.max_steps": 4},
            ]
        },
    )
    sweep = service.pmt("submit", spec, "-o", "json").json["sweep_id"]
    watched = service.pmt("watch", sweep)
    assert watched.code == 0, watched
    table = service.pmt("results", sweep, "--by-job")
    assert table.code == 0, table
    for name in ("sweep-base", "sweep-memory", "sweep-lora"):
        assert name in table.out


def test_the_same_key_submits_once(lab, service):
    spec = lab.spec("once", train__max_steps=1)
    first = submit(service, spec, "--idempotency-key", "once")
    assert submit(service, spec, "--idempotency-key", "once") == first
    succeeded(service, first)
