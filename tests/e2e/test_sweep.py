"""Searches over learning rates, under a coordinator that is killed on the way: trials begin as
others end, the worse ones are stopped or go on from the better ones, and none is lost, repeated or
forgotten."""

import csv
import io
import itertools

from conftest import COORDINATOR
from jobs import gangs, log_lines, number, show
from programs import eventually

TRIALS = 10
LIMIT = 240


def the_sweep(cluster):
    """None while the coordinator is away."""
    done = cluster.pmt("sweeps", "-o", "json")
    return done.json["sweeps"][0] if done.code == 0 else None


def ended(cluster):
    trials = the_sweep(cluster)["trials"]
    return trials["succeeded"] + trials["cancelled"]


def test_a_search_whose_coordinator_is_killed(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    submitted = cluster.pmt("submit", lab.search(TRIALS, max_concurrent=2), "-o", "json")
    assert submitted.code == 0, submitted
    sweep = submitted.json["sweep_id"]
    assert len(submitted.json["jobs"]) == 2, "max_concurrent"
    with cluster.watch(sweep, LIMIT) as watch:
        for done in (2, 5):
            eventually(lambda done=done: ended(cluster) >= done, LIMIT, f"{done} trials have ended")
            cluster.coordinator.kill()
            cluster.restart_coordinator()
        code, events, errors = watch.finish()
    assert code == 0, f"none failed, and those that it stops count for nothing: {errors}"

    found = the_sweep(cluster)
    assert found["state"] == "SWEEP_STATE_FINISHED", found
    assert found["reason"] == f"all {TRIALS} trials were begun"
    jobs = cluster.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"][::-1]
    assert [job["trial"]["number"] for job in jobs] == list(range(1, TRIALS + 1))
    assert {e["job_id"] for e in events} == {job["id"] for job in jobs}, "each from its first event"
    assert sum(number(e) == 1 for e in events) == TRIALS
    assert len({job["trial"]["setting"]["train.learning_rate"] for job in jobs}) == TRIALS
    stopped = [job for job in jobs if job["state"] == "JOB_STATE_CANCELLED"]
    finished = [job for job in jobs if job["state"] == "JOB_STATE_SUCCEEDED"]
    assert stopped and finished and len(stopped) + len(finished) == TRIALS
    assert all(job["reason"].startswith("stopped by its sweep: loss ") for job in stopped)
    assert all(int(job["progress"]["step"]) == 9 for job in finished)

    table = cluster.pmt("results", sweep)
    assert table.code == 0 and "best:" in table.out, table
    rows = list(csv.DictReader(io.StringIO(cluster.pmt("results", sweep, "-o", "csv").out)))
    assert len(rows) == TRIALS
    means = [float(row["mean"]) for row in rows if row["mean"]]
    assert means == sorted(means) and len(means) == len(finished)
    best = rows[0]["best_job_id"]
    assert best in {job["id"] for job in finished}
    assert cluster.pmt("download", best, "--out", tmp_path / "best").code == 0
    assert (tmp_path / "best" / "adapter" / "adapter_model.safetensors").is_file()
    verified = cluster.pmt("verify", tmp_path / "best")
    assert verified.code == 0 and verified.out.startswith("APPLIED"), verified


def test_the_next_trial_takes_a_stopped_ones_place_in_its_gang(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker(slots=1)
    # With this seed the first is the best, and trains until the test is over.
    spec = lab.search(3, max_concurrent=2, seed=3, steps=1_000_000)
    submitted = cluster.pmt("submit", spec, "-o", "json")
    assert submitted.code == 0, submitted

    def the_third():
        sweep = submitted.json["sweep_id"]
        jobs = cluster.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"][::-1]
        return jobs if len(jobs) == 3 and "step" in jobs[2].get("progress", {}) else None

    jobs = eventually(the_third, LIMIT, "the third trial trains")
    assert [job["state"] for job in jobs[:2]] == ["JOB_STATE_RUNNING", "JOB_STATE_CANCELLED"]
    assert jobs[1]["reason"].startswith("stopped by its sweep: loss ")
    assert len(gangs(cluster, [job["id"] for job in jobs])) == 1
    assert jobs[0]["attempt"] == 1, "it was not disturbed"


def learning_rate(job):
    return float(job["trial"]["setting"]["train.learning_rate"])


def score(job):
    (last,) = [e["value"] for e in job["progress"]["evals"]]
    return last


def test_a_population_whose_coordinator_is_killed(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    submitted = cluster.pmt("submit", lab.population(4), "-o", "json")
    assert submitted.code == 0, submitted
    sweep = submitted.json["sweep_id"]
    for done in (2, 6):
        eventually(lambda done=done: ended(cluster) >= done, LIMIT, f"{done} trials have ended")
        cluster.coordinator.kill()
        cluster.restart_coordinator()
    eventually(lambda: the_sweep(cluster)["state"] != "SWEEP_STATE_RUNNING", LIMIT, "it is over")
    assert the_sweep(cluster)["reason"] == "all 12 trials were begun"

    jobs = cluster.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"][::-1]
    assert {job["state"] for job in jobs} == {"JOB_STATE_SUCCEEDED"}
    generations = [jobs[0:4], jobs[4:8], jobs[8:12]]
    for before, after in itertools.pairwise(generations):
        best, *_, worst = sorted(before, key=score)
        for member, job in enumerate(after):
            parent = jobs[job["trial"]["parent"] - 1]
            expected = best if before[member] is worst else before[member]
            assert parent["id"] == expected["id"]
            moved = before[member] is worst
            assert (learning_rate(job) != learning_rate(parent)) == moved
    for i, generation in enumerate(generations):
        assert all(int(job["progress"]["step"]) == 3 * (i + 1) for job in generation)
    with cluster.watch(jobs[-1]["id"]) as watch:
        _, events, _ = watch.finish()
    assert "going on after step 6 of another job" in log_lines(events)
    named = show(cluster, jobs[-1]["id"])["spec"]["train"]["continue_from"]
    assert named.startswith("content://") and named.endswith("/step-00000006.safetensors")

    rows = list(csv.DictReader(io.StringIO(cluster.pmt("results", sweep, "-o", "csv").out)))
    scored = [row["best_job_id"] for row in rows if row["mean"]]
    assert sorted(scored) == sorted(job["id"] for job in generations[-1])
    assert "pbt" in cluster.pmt("sweeps").out
