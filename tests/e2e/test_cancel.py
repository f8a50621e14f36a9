"""A cancelled job is gone within 5 s, and no process of it is left."""

import time

from jobs import at_step, show, state, submit
from processes import alive, descendants
from programs import eventually

LIMIT = 5


def test_cancel_leaves_nothing(lab, service):
    job = submit(service, lab.spec("endless", train__max_steps=1_000_000))
    with service.watch(job) as watch:
        watch.until(at_step(3))
        gang = descendants(service.workers[0].pid)
        assert sum("pmt-trainer" in p.command for p in gang) >= 2
        asked = time.monotonic()
        assert service.pmt("cancel", job).code == 0
        left = LIMIT - (time.monotonic() - asked)
        eventually(lambda: not any(map(alive, gang)), left, f"all of {gang} gone")
        code, _, _ = watch.finish()
    assert code == 3
    assert descendants(service.workers[0].pid) == []
    shown = show(service, job)
    assert shown["state"] == "JOB_STATE_CANCELLED" and shown["reason"]
    assert service.pmt("cancel", job).code == 13  # FAILED_PRECONDITION: it has ended


def test_cancel_of_a_waiting_job(lab, service):
    first = submit(service, lab.spec("holder", train__max_steps=1_000_000))
    waiting = submit(service, lab.spec("waiting"))
    assert state(service, waiting) == "queued"
    assert service.pmt("cancel", waiting).code == 0
    assert state(service, waiting) == "cancelled"
    assert service.pmt("cancel", first).code == 0
    assert service.pmt("watch", first).code == 3
