"""A sweep of four trials in one gang of the trainer: each is as if it had been alone."""

import json

import pytest
from conftest import COORDINATOR
from jobs import (
    at_step,
    checkpointed,
    gangs,
    losses,
    show,
    state,
    submit,
    submit_all,
    succeeded,
)
from processes import descendants
from programs import eventually

METHODS = [{"type": "prefix_memory"}, {"type": "lora", "r": 2}]
SEEDS = [1, 2]
TRIALS = [(method, seed) for method in METHODS for seed in SEEDS]
LIMIT = 10


@pytest.fixture
def banking(cluster):
    cluster.start_coordinator(bank_limit=16, **COORDINATOR)
    cluster.start_worker()
    return cluster


def submit_sweep(cluster, lab, name, **changes):
    sweep = {"grid": {"method": METHODS, "train.seed": SEEDS}}
    return submit_all(cluster, lab.spec(name, sweep=sweep, **changes))


def losses_alone(cluster, lab, method, seed, **changes):
    name = f"alone-{method['type'].replace('_', '-')}-{seed}"
    spec = lab.spec(name, method=method, train__seed=seed, **changes)
    return losses(succeeded(cluster, submit(cluster, spec)))


def test_each_trial_of_a_bank_is_as_if_alone(lab, banking):
    bank = submit_sweep(banking, lab, "bank")
    shared = [losses(succeeded(banking, job)) for job in bank]
    assert len(gangs(banking, bank)) == 1
    for (method, seed), seen in zip(TRIALS, shared, strict=True):
        assert seen == pytest.approx(losses_alone(banking, lab, method, seed), rel=1e-6)
    out = lab.folder / "files"
    done = banking.pmt("download", bank[3], "--out", out)
    assert done.code == 0, done
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    assert json.loads((out / "result.json").read_text())["steps"] == 12


def test_trials_join_the_gang_as_others_leave_it(lab, cluster):
    """Of two places one is held by a trial that never ends; the others have the second in turn."""
    cluster.start_coordinator(bank_limit=2, **COORDINATOR)
    cluster.start_worker()
    seeds = [*SEEDS, 3]
    trials = [{"train.max_steps": 1_000_000}, *({"train.seed": seed} for seed in seeds)]
    endless, *jobs = submit_all(cluster, lab.spec("row", sweep={"trials": trials}))
    shared = [losses(succeeded(cluster, job)) for job in jobs]
    assert state(cluster, endless) == "running"
    assert cluster.pmt("cancel", endless).code == 0
    assert cluster.pmt("watch", endless).code == 3
    assert len(gangs(cluster, [endless, *jobs])) == 1
    for seed, seen in zip(seeds, shared, strict=True):
        alone = lab.spec(f"alone-{seed}", train__seed=seed)
        assert seen == pytest.approx(losses(succeeded(cluster, submit(cluster, alone))), rel=1e-6)


def test_a_cancelled_trial_leaves_the_others(lab, banking):
    jobs = submit_sweep(banking, lab, "endless-bank", train__max_steps=1_000_000)
    with banking.watch(jobs[1]) as other:
        other.until(at_step(1))
        assert banking.pmt("cancel", jobs[0]).code == 0
        assert banking.pmt("watch", jobs[0]).code == 3
        step = int(show(banking, jobs[1])["progress"]["step"])
        other.until(at_step(step + 2))
        for job in jobs[1:]:
            assert banking.pmt("cancel", job).code == 0
        assert other.finish()[0] == 3
    assert [state(banking, job) for job in jobs[:2]] == ["cancelled", "cancelled"]
    worker = banking.workers[0].pid
    eventually(lambda: not descendants(worker), LIMIT, "its gang is gone")


def test_a_bank_whose_worker_is_lost_goes_on_from_its_checkpoints(lab, banking):
    changes = {
        "train__max_steps": 40,
        "train__checkpoint_every": 3,
        "train__learning_rate": 1e-3,
    }
    jobs = submit_sweep(banking, lab, "moved-bank", **changes)
    eventually(lambda: state(banking, jobs[3]) != "queued", LIMIT, "the bank is placed")
    banking.start_worker()
    with banking.watch(jobs[3]) as watch:
        watch.until(checkpointed(3))
        banking.workers[0].kill()
        assert watch.finish()[0] == 0
    shared = [losses(succeeded(banking, job)) for job in jobs]
    assert len(gangs(banking, jobs)) == 1
    assert {show(banking, job)["attempt"] for job in jobs} == {2}
    for (method, seed), seen in list(zip(TRIALS, shared, strict=True))[::3]:
        assert seen == pytest.approx(losses_alone(banking, lab, method, seed, **changes), rel=1e-4)
