"""Real processes on one machine: a service shared by tests that spare it, and empty clusters."""

import copy
import json
import pathlib
import sys

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "deploy" / "local"))
sys.path.append(str(REPO / "tests" / "trainer"))  # character_tokenizer

import tiny  # noqa: E402
from cluster import Cluster  # noqa: E402

# Quick to find a lost worker, and to forget the series of a job.
COORDINATOR = {"lease_seconds": 5, "heartbeat_seconds": 0.5, "grace_seconds": 20}


class Lab:
    """The tiny model, its rows, and specs that train on them."""

    def __init__(self, folder):
        self.folder = folder
        self.model = folder / "model"
        tiny.write_model(self.model)
        self.data = tiny.write_rows(folder / "train.jsonl", tiny.labelled_rows())

    def spec(self, name, **changes):
        """Writes a spec; `train__seed=3` changes train.seed, None removes a key."""
        spec = {
            "name": name,
            "model": str(self.model),
            "method": {"type": "prefix_memory"},
            "data": {"train": str(self.data), "eval": str(self.data), "format": "text_label"},
            "train": {
                "max_steps": 12,
                "global_batch_size": 6,
                "learning_rate": 0.02,
                "dtype": "fp32",
            },
            "eval": {"mode": "label_likelihood"},
            "resources": {"device": "cpu", "ranks": 2, "threads": 1},
        }
        for path, value in changes.items():
            *parents, key = path.split("__")
            node = spec
            for parent in parents:
                node = node.setdefault(parent, {})
            node[key] = copy.deepcopy(value)
            if value is None:
                del node[key]
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        return file

    def over_rates(self, name, lowest, sweep, steps=9, **more):
        """Writes the spec of a sweep over learning rates, of so many steps a trial."""
        rates = {"type": "log_uniform", "low": lowest, "high": 1e-1}
        return self.spec(
            name,
            method={"type": "lora", "r": 2},
            train__max_steps=steps,
            train__learning_rate=None,
            resources__ranks=1,
            eval__mode="loss",
            sweep={**sweep, "space": {"train.learning_rate": rates}},
            **more,
        )

    def search(self, trials, max_concurrent, seed=0, **more):
        """Writes the spec of a search over learning rates, which stops the worse trials."""
        sweep = {
            "search": {"type": "asha", "reduction_factor": 3},
            "budget": {"trials": trials},
            "max_concurrent": max_concurrent,
            "seed": seed,
        }
        return self.over_rates("search", 1e-6, sweep, train__eval_every=1, **more)

    def population(self, members):
        """Writes the spec of a population over learning rates, of three generations."""
        sweep = {"search": {"type": "pbt", "interval": 3}, "budget": {"trials": members}}
        return self.over_rates("population", 1e-5, sweep)


class PacedCluster(Cluster):
    """Its jobs have long steps once they have had as many as most tests want (pace.cc)."""

    def start_worker(self, **flags):
        trainer = self.folder / "pmt-trainer"
        if not trainer.exists():
            pace = self.bin.parent / "tests" / "libpace.so"
            command = f'LD_PRELOAD={pace} exec {self.bin / "pmt-trainer"} "$@"'
            trainer.write_text(f"#!/bin/sh\n{command}\n")
            trainer.chmod(0o755)
        return super().start_worker(**{"trainer": trainer, **flags})


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def service():
    """A coordinator and one worker with two slots."""
    with PacedCluster() as cluster:
        cluster.start_coordinator(**COORDINATOR)
        cluster.start_worker(metrics_retention_seconds=2)
        yield cluster


@pytest.fixture
def cluster():
    """Nothing started yet."""
    with PacedCluster() as cluster:
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for name in {"service", "cluster", "hosts"} & set(item.fixturenames):
            if name in item.funcargs:
                report.sections.append((f"logs of {name}", item.funcargs[name].logs()))
    return report
