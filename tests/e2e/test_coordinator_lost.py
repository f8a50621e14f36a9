"""The coordinator dies and comes back: the job notices nothing, and no event is lost or doubled."""

from conftest import COORDINATOR
from jobs import at_step, losses, number, show, submit, succeeded
from processes import alive, descendants

STEPS = 600


def test_a_killed_coordinator(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    worker = cluster.start_worker()
    spec = lab.spec("undisturbed", train__max_steps=STEPS)
    expected = losses(succeeded(cluster, submit(cluster, spec)))

    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(at_step(10))
        gang = descendants(worker.pid)
        cluster.coordinator.kill()
    seen = watch.seen
    cluster.restart_coordinator()
    assert gang and all(map(alive, gang)), "the coordinator's death disturbed the gang"

    events = succeeded(cluster, job)
    assert events[: len(seen)] == seen
    assert [number(e) for e in events] == list(range(1, len(events) + 1))
    steps = [e for e in events if at_step(1)(e)]
    assert len(steps) == STEPS
    assert losses(events) == expected
    shown = show(cluster, job)
    assert shown["attempt"] == 1 and shown["state"] == "JOB_STATE_SUCCEEDED"


def test_jobs_survive_while_no_worker_is_there(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    job = submit(cluster, lab.spec("patient"))
    cluster.coordinator.kill()
    cluster.restart_coordinator()
    assert show(cluster, job)["state"] == "JOB_STATE_QUEUED"
    cluster.start_worker()
    succeeded(cluster, job)
