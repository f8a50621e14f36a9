"""Workers out of service: what a drained one ran goes on elsewhere from its checkpoint, to the same
bits; one whose disk is full is given nothing."""

from conftest import COORDINATOR
from jobs import (
    adapter_bytes,
    at_step,
    log_lines,
    losses,
    show,
    state,
    submit,
    succeeded,
    worker_states,
)
from programs import eventually

STEPS = 600


def test_drain_and_back(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR, max_retries=0)
    cluster.start_worker()
    spec = lab.spec("drained", train__max_steps=STEPS)
    undisturbed = submit(cluster, spec)
    expected = losses(succeeded(cluster, undisturbed))

    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(at_step(10))
        first = show(cluster, job)["worker_id"]
        cluster.start_worker()
        done = cluster.pmt("workers", "drain", first)
        assert done.code == 0 and "draining" in done.out, done
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"
    shown = show(cluster, job)
    assert shown["attempt"] == 2, "it moved, though no retry is allowed"
    assert shown["worker_id"] != first
    again = [e for e in events if e.get("attempt") == 2]
    (resumed,) = (line for line in log_lines(again) if "resuming after step" in line)
    assert int(resumed.split("after step ")[1].split()[0]) >= 10, "it left with a checkpoint"
    assert losses(events) == expected
    files = [adapter_bytes(cluster, one, tmp_path / one) for one in (undisturbed, job)]
    assert files[0] == files[1]
    assert worker_states(cluster)[first] == "cordoned"

    (second,) = worker_states(cluster).keys() - {first}
    assert cluster.pmt("workers", "cordon", second).code == 0
    waiting = submit(cluster, lab.spec("waiting"))
    assert "cordoned" in show(cluster, waiting)["reason"]
    cluster.coordinator.kill()
    cluster.restart_coordinator()
    eventually(
        lambda: set(worker_states(cluster).values()) == {"cordoned"},
        30,
        "both dial, and stay cordoned",
    )
    assert state(cluster, waiting) == "queued"
    assert cluster.pmt("workers", "uncordon", first).code == 0
    succeeded(cluster, waiting)
    assert show(cluster, waiting)["worker_id"] == first


def test_a_worker_whose_disk_is_full_is_given_nothing(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker(min_free_disk=1 << 60)  # more than any disk has
    eventually(lambda: set(worker_states(cluster).values()) == {"unhealthy"}, 30, "it says so")
    listed = cluster.pmt("workers")
    assert "takes no jobs: its disk has less than 1099511627776 MiB free" in listed.err
    job = submit(cluster, lab.spec("waits"))
    assert "every worker that it fits is unhealthy" in show(cluster, job)["reason"]
    cluster.start_worker()
    succeeded(cluster, job)
    assert sorted(worker_states(cluster).values()) == ["connected", "unhealthy"]
