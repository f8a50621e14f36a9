"""Rules, alerts, runbook and dashboards agree with each other."""

import json
import pathlib
import re
import subprocess

import pytest
import yaml

HERE = pathlib.Path(__file__).parent
REPO = HERE.parents[1]
RULES = sorted((REPO / "deploy" / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = sorted((REPO / "deploy" / "grafana" / "dashboards").glob("*.json"))
PROVISIONING = REPO / "deploy" / "grafana" / "provisioning"
GRID_COLUMNS = 24


def promtool(*args):
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr
    return done.stdout


def alerts():
    return [
        rule
        for file in RULES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def test_promtool_accepts_configuration_and_rules():
    assert "SUCCESS" in promtool("check", "config", REPO / "deploy/prometheus/prometheus.yml")
    assert "SUCCESS" in promtool("check", "rules", *RULES)


def test_every_alert_fires_and_is_silent():
    tests = yaml.safe_load((HERE / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    names = {alert["alert"] for alert in alerts()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names
    assert "SUCCESS" in promtool("test", "rules", HERE / "alerts_test.yml")


def runbook_sections():
    """{heading: text} of the alerts in the runbook."""
    text = (REPO / "docs" / "runbook.md").read_text()
    return dict(re.findall(r"^## (Prefixmem\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))


def test_every_alert_has_its_paragraph_and_every_paragraph_its_alert():
    sections = runbook_sections()
    assert set(sections) == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        name = alert["alert"]
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert alert["labels"]["severity"] in ("info", "warning", "critical")
        for word in ("**Meaning**", "**Confirm**", "**Do**", "pmt "):
            assert word in sections[name], (name, word)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_whole(file):
    dashboard = json.loads(file.read_text())
    assert dashboard["uid"] == f"prefixmem-{file.stem}"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    places = set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["targets"], panel["id"]
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert grid["x"] + grid["w"] <= GRID_COLUMNS and not places & cells, panel["title"]
        places |= cells
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"] + target["legendFormat"]))
            assert used <= variables, (panel["title"], used)


def test_provisioning_names_what_the_dashboards_use():
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/prefixmem.yml").read_text())[
        "providers"
    ]
    folder = provider["options"]["path"].replace("$GF_PATHS_PROVISIONING", str(PROVISIONING))
    assert sorted(pathlib.Path(folder).resolve().glob("*.json")) == DASHBOARDS
    for file in DASHBOARDS:
        text = file.read_text()
        assert set(re.findall(r'"uid": "([^"]+)"', text)) <= {
            source["uid"],
            json.loads(text)["uid"],
        }
