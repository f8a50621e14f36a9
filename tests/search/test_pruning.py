"""ASHA and Hyperband stop the trials that Optuna's pruners stop, in whatever order they report."""

import math
import random

import optuna
import pytest
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState
from probe import searching

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPACE = {"train.learning_rate": {"type": "uniform", "low": 0.1, "high": 1}}
CASES = {
    "asha": ({"type": "asha"}, SuccessiveHalvingPruner(min_resource=1)),
    "asha from step 3 by halves": (
        {"type": "asha", "min_steps": 3, "reduction_factor": 2},
        SuccessiveHalvingPruner(min_resource=3, reduction_factor=2),
    ),
    "hyperband": (
        {"type": "hyperband", "max_steps": 81},
        HyperbandPruner(min_resource=1, max_resource=81),
    ),
    "hyperband from step 2 to 50 by fours": (
        {"type": "hyperband", "min_steps": 2, "max_steps": 50, "reduction_factor": 4},
        HyperbandPruner(min_resource=2, max_resource=50, reduction_factor=4),
    ),
}


def curve(random):
    """Values that fall to a level of their own, coarse enough for ties, now and then NaN."""
    level, speed = random.uniform(0, 1), random.uniform(0.01, 0.3)

    def at(step):
        if random.random() < 0.01:
            return math.nan
        return round(level + math.exp(-speed * step) + random.gauss(0, 0.02), 2)

    return at


def replay(folder, search, pruner, mode, seed):
    """Reports of up to eight trials at a time, mixed; how many stops and ends there were."""
    rng = random.Random(seed)
    study = optuna.create_study(
        study_name=f"study-{seed}",
        pruner=pruner,
        direction="minimize" if mode == "min" else "maximize",
        sampler=optuna.samplers.RandomSampler(seed=seed),
    )
    sweep = {
        "search": search,
        "space": SPACE,
        "goal": {"metric": "loss", "mode": mode},
    }
    every, stops, ends, running = rng.choice([1, 2, 5]), 0, 0, []
    with searching(folder, sweep, study.study_name) as ours:
        while ends + stops < 60:
            while len(running) < 8:
                number, _ = ours.ask()
                theirs = study.ask()
                assert theirs.number == number - 1
                running.append([number, theirs, curve(rng), 0])
            chosen = rng.choice(running)
            chosen[3] += every
            number, theirs, value_at, step = chosen
            value = value_at(step)
            theirs.report(value, step)
            stopped = ours.report(number, step, value)
            assert theirs.should_prune() == (stopped is not None), (number, step, value, stopped)
            if stopped:
                study.tell(theirs, state=TrialState.PRUNED)
                stops += 1
            elif step >= 60:
                study.tell(theirs, 0.0 if math.isnan(value) else value)
                ours.finish(number)
                ends += 1
            else:
                continue
            running.remove(chosen)
    return stops, ends


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_trials_are_stopped(tmp_path, case, mode):
    totals = [replay(tmp_path, *CASES[case], mode, seed) for seed in range(6)]
    assert sum(stops for stops, _ in totals) > 100
    assert sum(ends for _, ends in totals) > 0
