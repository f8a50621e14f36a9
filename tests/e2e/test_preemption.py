"""A job of higher priority takes the slots of one that runs; that one then gives the same bits."""

from conftest import COORDINATOR
from jobs import adapter_bytes, at_step, log_lines, losses, reasons, show, submit, succeeded

STEPS = 600


def test_a_preempted_job_gives_the_same_bits(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR, max_retries=0)
    cluster.start_worker()
    spec = lab.spec("patient", train__max_steps=STEPS)
    undisturbed = submit(cluster, spec)
    expected = losses(succeeded(cluster, undisturbed))
    assert sorted(expected) == list(range(1, STEPS + 1))

    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(at_step(20))
        urgent = submit(cluster, lab.spec("urgent", priority=5, resources__ranks=1))
        urgent_events = succeeded(cluster, urgent)
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"

    told = reasons(urgent_events)
    assert f"{job} of lower priority is asked to leave worker" in told[1], told
    preempted = f"preempted by {urgent} of priority 5; queued"
    left = [reason for reason in reasons(events) if reason.startswith(preempted)]
    assert len(left) == 1 and "from the checkpoint of step" in left[0], reasons(events)
    assert show(cluster, job)["attempt"] == 2, "it went on, though no retry is allowed"
    again = [e for e in events if e.get("attempt") == 2]
    (resumed,) = (line for line in log_lines(again) if "resuming after step" in line)
    assert int(resumed.split("after step ")[1].split()[0]) >= 20
    assert show(cluster, urgent)["end_time"] <= again[0]["time"]

    assert losses(events) == expected
    files = [adapter_bytes(cluster, one, tmp_path / one) for one in (undisturbed, job)]
    assert files[0] == files[1]
