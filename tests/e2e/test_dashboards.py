"""Every query of the dashboards and the rules, asked of a real Prometheus beside a real sweep."""

import json
import math
import pathlib
import re

import pytest
import yaml
from cluster import Cluster
from conftest import COORDINATOR
from jobs import at_step, submit, submit_all
from programs import eventually
from prometheus import DASHBOARDS, DEPLOYED, Prometheus, panel_queries, without_zero

RULES = [
    rule
    for file in sorted((DEPLOYED / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
# Without a rank that hangs, TLS, Slurm and a lost worker: test_hang.py, test_security.py and
# test_slurm.py have Prometheus read theirs, test_worker_lost.py reads its own.
NOT_HERE = {
    "prefixmem_job_hanging_rank",
    "prefixmem_certificate_expiry_timestamp_seconds",
    "prefixmem_provisioner_up",
    'prefixmem_worker_info{state="lost"}',
}
SECONDS = 45


def until_a_step(cluster, job):
    with cluster.watch(job) as watch:
        watch.until(at_step(1))


@pytest.fixture(scope="module")
def prometheus(lab, tmp_path_factory):
    """Watches a sweep in one gang, and a job of a trainer that tells of a GPU."""
    with Cluster() as cluster:
        cluster.start_coordinator(**COORDINATOR)
        cluster.start_worker()
        # Three ranks fit on this one alone, and then nothing else does.
        stand_in = pathlib.Path(__file__).with_name("bank_trainer.py")
        cluster.start_worker(slots=3, trainer=stand_in)
        with Prometheus(cluster, tmp_path_factory.mktemp("prometheus")) as running:
            # What had risen before the first look at it has no rate.
            eventually(lambda: len(running.query("up == 1")) == 3, SECONDS, "all are scraped")
            gpu = lab.spec("gpu", train__max_steps=9, resources__ranks=3, data__eval=None)
            until_a_step(cluster, submit(cluster, gpu))
            done = submit(cluster, lab.spec("done", train__max_steps=2))
            assert cluster.pmt("watch", done).code == 0
            sweep = lab.spec(
                "trials",
                labels={"team": "red"},
                train__max_steps=1_000_000,
                train__checkpoint_every=50,
                eval__before=True,
                sweep={"grid": {"train.learning_rate": [1e-4, 1e-3]}},
            )
            for trial in submit_all(cluster, sweep):
                until_a_step(cluster, trial)
            yield running


def label_names(prometheus):
    return [name for name in prometheus.ask("labels") if name.startswith("label_")]


def selectors_of(expression):
    """What an expression asks for: names of series, with conditions on their labels."""
    return set(re.findall(r"(?:\b(?:\w+:)?prefixmem_\w+(?::\w+)?|\bup\b)(?:\{.*?\})?", expression))


def answers(prometheus, expression):
    """Whether some series of it has a number; a quantile over no observation is NaN."""
    values = [float(row["value"][1]) for row in prometheus.query(expression)]
    return not all(map(math.isnan, values))


def first_empty(prometheus, wanted):
    """Those of {where: expression} that return nothing, asked until none does."""
    left = dict(wanted)

    def all_answer():
        for where, expression in list(left.items()):
            if answers(prometheus, expression):
                del left[where]
        return not left

    try:
        eventually(all_answer, SECONDS, "every query returns series")
    except TimeoutError:
        return left
    return {}


def test_every_panels_query_returns_series(prometheus):
    wanted = {}
    for where, expression in panel_queries():
        assert "$" not in expression.replace("$label", ""), expression
        if "prefixmem_job_hanging_rank" not in expression:  # test_hang.py asks it
            expression = without_zero(expression)
        wanted[f"{where}: {expression}"] = expression.replace("$label", "label_team")
    assert len(wanted) > 60
    assert first_empty(prometheus, wanted) == {}
    assert "label_team" in label_names(prometheus)


def test_every_rules_series_are_there(prometheus):
    wanted = {
        selector: selector
        for rule in RULES
        for selector in {rule.get("record", "up"), *selectors_of(rule["expr"])} - NOT_HERE
    }
    assert 'prefixmem_jobs_ended_total{state="failed"}' in wanted
    for rule in RULES:
        if "record" in rule:
            wanted[f"{rule['record']} as it is made"] = without_zero(rule["expr"])
    assert first_empty(prometheus, wanted) == {}


def test_every_variable_of_a_dashboard_has_values(prometheus):
    for file in DASHBOARDS:
        for variable in json.loads(file.read_text())["templating"]["list"]:
            query = variable["query"]["query"]
            if query == "label_names()":
                assert re.fullmatch(r"/\^(\w+)\.\*/", variable["regex"])
                continue
            series, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()
            values = {row["metric"].get(label, "") for row in prometheus.query(series)}
            assert any(values), (file.name, query)


def test_no_alert_fires_and_every_rule_is_sound(prometheus):
    def evaluated():
        groups = prometheus.ask("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    rules = eventually(evaluated, SECONDS, "every rule has been evaluated")
    assert {rule["name"] for rule in rules} == {r.get("record", r.get("alert")) for r in RULES}
    assert [(r["name"], r["lastError"]) for r in rules if r["health"] != "ok"] == []
    # One that watches progress is pending until a counter has two samples.
    eventually(lambda: not prometheus.ask("alerts")["alerts"], SECONDS, "no alert is even pending")
    fired = prometheus.query('last_over_time(ALERTS{alertstate="firing"}[1h])')
    assert [row["metric"] for row in fired] == [], "nor has one fired since the beginning"
