"""A gang starts when all of its ranks fit, never partly."""

import datetime
import re

from conftest import COORDINATOR
from jobs import at_step, show, submit, succeeded, trainer_event


def event_time(events, state):
    """When a job came into a state."""
    (event,) = (e for e in events if e.get("state", {}).get("state") == f"JOB_STATE_{state}")
    return datetime.datetime.fromisoformat(event["time"])


def test_a_gang_waits_for_room(lab, service):
    holder = submit(service, lab.spec("one-rank", train__max_steps=1_000_000, resources__ranks=1))
    with service.watch(holder) as watch:
        watch.until(at_step(1))
        gang = submit(service, lab.spec("two-ranks"))
        shown = show(service, gang)
        assert shown["state"] == "JOB_STATE_QUEUED"
        assert "2 slots" in shown["reason"], shown["reason"]
        small = submit(service, lab.spec("small", resources__ranks=1))
        assert "behind" in show(service, small)["reason"], "a later job overtakes an earlier one"
        (worker,) = service.pmt("workers", "-o", "json").json["workers"]
        assert (worker["slots"], worker["used_slots"]) == (2, 1)
        assert service.pmt("cancel", holder).code == 0
        assert watch.finish()[0] == 3
    whole, after = (succeeded(service, job) for job in (gang, small))
    assert event_time(whole, "SUCCEEDED") <= event_time(after, "STARTING")


def test_a_job_too_large_says_why_it_waits(lab, service):
    job = submit(service, lab.spec("too-large", resources__ranks=9))
    shown = show(service, job)
    assert shown["state"] == "JOB_STATE_QUEUED"
    assert "9" in shown["reason"] and "2" in shown["reason"], shown["reason"]
    assert shown["reason"] in service.pmt("show", job).out
    assert service.pmt("cancel", job).code == 0


def test_ranks_hold_the_slots_of_the_memory_that_they_need(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker(memory="130MB")
    assert cluster.pmt("models", "add", lab.model).code == 0
    spec = lab.spec(
        "needy",
        model=f"models://{lab.model.name}",
        resources__ranks=1,
        train__max_steps=1_000_000,
        train__activation_checkpointing="auto",
    )
    refused = cluster.pmt("submit", spec)
    assert refused.code == 15, refused
    assert "a rank needs 0.17 GiB" in refused.err, refused
    assert "the largest worker has 0.13 GiB; no setting" in refused.err, refused
    told = cluster.pmt("submit", spec, "--set", f"model={lab.model}")
    assert told.err == refused.err, "of a model on the workers, by the client's own config.json"

    cluster.start_worker(memory="300MB")
    first, second = submit(cluster, spec), submit(cluster, spec, "--set", "name=second")
    with cluster.watch(first) as watch:
        watch.until(at_step(1))
        reasons = [event["state"]["reason"] for event in watch.seen if "state" in event]
        assert any("1 rank, with the memory of 2 slots" in reason for reason in reasons), reasons
        used = [w["used_slots"] for w in cluster.pmt("workers", "-o", "json").json["workers"]]
        assert sorted(used) == [0, 2]
        assert (
            "waits for 2 slots of one worker to be free: it needs 0.17 GiB"
            in (show(cluster, second)["reason"])
        )
        # The trainer keeps to what those slots have, of a host that has more.
        logs = [trainer_event(event, "log") for event in watch.seen]
        text = " ".join(log["message"] for log in logs if log)
        free = re.search(r"tokens, of ([0-9.]+) GiB: backward", text)
        assert free and float(free.group(1)) < 0.3, text
        assert cluster.pmt("cancel", first).code == 0
    assert cluster.pmt("cancel", second).code == 0
