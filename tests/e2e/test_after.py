"""Jobs that come after others, also those of another run of the coordinator."""

from conftest import COORDINATOR
from jobs import at_step, show, state, submit, succeeded


def test_a_chain_of_jobs(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    first = submit(cluster, lab.spec("first"))
    second = submit(cluster, lab.spec("second", after=["first"]))
    third = submit(cluster, lab.spec("third", after=[second]))
    broken = lab.spec("broken", data__train="/nowhere/rows.jsonl", after=[second])
    broken = submit(cluster, broken, "--no-upload")
    waiting = submit(cluster, lab.spec("waiting", after=["broken"]))
    assert show(cluster, second)["reason"] == f"waits for {first} (first) to succeed"
    cluster.start_worker(slots=4)
    with cluster.watch(first) as watch:
        watch.until(at_step(1))
        cluster.coordinator.kill()
        cluster.restart_coordinator()
        assert watch.finish()[0] == 0
    succeeded(cluster, second)
    succeeded(cluster, third)
    ends = [show(cluster, job)["end_time"] for job in (first, second)]
    starts = [show(cluster, job)["start_time"] for job in (second, third)]
    assert ends[0] <= starts[0] and ends[1] <= starts[1]

    assert cluster.pmt("watch", waiting).code == 3
    assert state(cluster, broken) == "failed"
    assert show(cluster, waiting)["reason"] == (
        f"{broken} (broken), which it comes after, has failed"
    )
    refused = cluster.pmt("submit", lab.spec("late", after=["broken"]))
    assert refused.code == 13 and "has failed" in refused.err, refused
