"""A gang starts when all of its ranks fit, never partly."""

import datetime

from jobs import at_step, show, submit, succeeded


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
