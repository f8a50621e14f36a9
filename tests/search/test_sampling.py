"""TPE finds settings as good as Optuna's TPE does, and better ones than chance."""

import math
import statistics

import optuna
import pytest
from probe import searching

optuna.logging.set_verbosity(optuna.logging.WARNING)

SEEDS = 16
TRIALS = 60


def uniform(low, high):
    return {"type": "uniform", "low": low, "high": high}


def branin(x):
    a, b = x["train.max_grad_norm"] - 5, x["train.weight_decay"]
    hill = b - 5.1 * a * a / (4 * math.pi**2) + 5 * a / math.pi - 6
    return hill**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10 - 0.3979


def sphere(x):
    return sum((value - 0.3) ** 2 for value in x.values())


def tuning(x):
    """The best learning rate depends on the method, and only one method has a rank."""
    lora = x["method"] == "lora"
    rate = math.log10(x["train.learning_rate"]) + (3 if lora else 2)
    rank = (math.log2(x["method.r"]) - 4) ** 2 / 10 if lora else 0.3
    return rate**2 + rank + (x["train.warmup_steps"] - 20) ** 2 / 1000


# Keys of a spec that allow the values; what they mean is of no matter here.
FUNCTIONS = {
    "branin": (
        branin,
        {"train.max_grad_norm": uniform(0, 15), "train.weight_decay": uniform(0, 15)},
    ),
    "sphere": (
        sphere,
        {
            "train.weight_decay": uniform(0, 1),
            "train.max_grad_norm": uniform(0, 1),
            "train.learning_rate": uniform(0.001, 1),
        },
    ),
    "tuning": (
        tuning,
        {
            "method": ["lora", "prefix_memory"],
            "method.r": {
                "type": "int",
                "low": 1,
                "high": 256,
                "log": True,
                "when": {"method": ["lora"]},
            },
            "train.learning_rate": {"type": "log_uniform", "low": 1e-5, "high": 1},
            "train.warmup_steps": {"type": "int", "low": 0, "high": 100},
        },
    ),
}


def ours(folder, search, function, space, seed):
    values = []
    with searching(folder, {"search": search, "space": space, "seed": seed}) as search:
        for _ in range(TRIALS):
            number, setting = search.ask()
            values.append(function(setting))
            search.report(number, 1, values[-1])
            search.finish(number)
    return math.log(min(values) + 1e-3)


def suggested(trial, path, domain):
    if isinstance(domain, list):
        return trial.suggest_categorical(path, domain)
    low, high = domain["low"], domain["high"]
    if domain["type"] == "int":
        return trial.suggest_int(path, low, high, log=domain.get("log", False))
    return trial.suggest_float(path, low, high, log=domain["type"] == "log_uniform")


def theirs(function, space, seed):
    def objective(trial):
        setting = {}
        for path, domain in space.items():
            when = domain.get("when", {}) if isinstance(domain, dict) else {}
            if all(setting.get(key) in allowed for key, allowed in when.items()):
                setting[path] = suggested(trial, path, domain)
        return function(setting)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=TRIALS)
    return math.log(study.best_value + 1e-3)


def difference(a, b):
    """Of the means, in standard errors."""
    error = math.sqrt((statistics.variance(a) + statistics.variance(b)) / SEEDS)
    return (statistics.mean(a) - statistics.mean(b)) / error


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tpe_is_as_good_as_optunas(tmp_path, name):
    function, space = FUNCTIONS[name]
    tpe = [ours(tmp_path, "tpe", function, space, seed) for seed in range(SEEDS)]
    reference = [theirs(function, space, seed) for seed in range(SEEDS)]
    chance = [ours(tmp_path, "random", function, space, seed) for seed in range(SEEDS)]
    assert difference(tpe, reference) < 2
    assert difference(tpe, chance) < -2
