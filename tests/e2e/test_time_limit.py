"""A job that reaches its time limit leaves a checkpoint and says so, also where the coordinator
was away in between."""

from conftest import COORDINATOR
from jobs import at_step, show, submit
from processes import descendants

ENDLESS = 1_000_000


def test_the_limit_ends_a_job_in_order(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    worker = cluster.start_worker()
    spec = lab.spec("limited", train__max_steps=ENDLESS, resources__time_limit="8s")
    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(at_step(1))
        cluster.coordinator.kill()
        cluster.restart_coordinator()
        code, events, _ = watch.finish()
    assert code == 1
    shown = show(cluster, job)
    assert shown["state"] == "JOB_STATE_FAILED" and shown["failure_code"] == "RESOURCE_EXHAUSTED"
    last = max(int(e["trainer"]["step"]["step"]) for e in events if "step" in e.get("trainer", {}))
    assert shown["reason"] == (
        f"the time limit of 8s is used up; its checkpoint of step {last} is kept"
    )
    assert shown["attempt"] == 1, "it is not tried again"
    assert f"checkpoints/step-{last:08}.safetensors" in cluster.pmt("show", job).out
    assert descendants(worker.pid) == []
