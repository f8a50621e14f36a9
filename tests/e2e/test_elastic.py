"""A job that shrinks and grows with the workers gives the bits of one that does not."""

from conftest import COORDINATOR
from jobs import adapter_bytes, at_step, log_lines, losses, reasons, show, submit, succeeded

STEPS = 600


def test_a_job_grows_and_shrinks_to_the_same_bits(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR, grow_after_seconds=1)
    cluster.start_worker(slots=1)
    spec = {"train__max_steps": STEPS, "train__deterministic": True, "train__checkpoint_every": 20}
    undisturbed = submit(cluster, lab.spec("undisturbed", resources__ranks=1, **spec))
    expected = losses(succeeded(cluster, undisturbed))

    job = submit(cluster, lab.spec("elastic", resources__ranks=4, resources__min_ranks=1, **spec))
    with cluster.watch(job) as watch:
        watch.until(at_step(20))
        assert show(cluster, job)["ranks"] == 1
        large = cluster.start_worker(slots=2)
        watch.until(lambda e: e.get("attempt") == 2 and at_step(0)(e))
        assert show(cluster, job)["ranks"] == 2
        assert "2, of 1 to 4" in cluster.pmt("show", job).out
        large.kill()
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"

    told = reasons(events)
    assert any(reason.startswith("grows from 1 rank to 2 ranks; queued") for reason in told), told
    resumed = [line for line in log_lines(events) if "resuming after step" in line]
    assert len(resumed) == 2, resumed
    shown = show(cluster, job)
    assert (shown["ranks"], shown["attempt"]) == (1, 3)

    assert losses(events) == expected
    files = [adapter_bytes(cluster, one, tmp_path / one) for one in (undisturbed, job)]
    assert files[0] == files[1]
    digests = {show(cluster, one)["progress"]["state_digest"] for one in (undisturbed, job)}
    assert len(digests) == 1
