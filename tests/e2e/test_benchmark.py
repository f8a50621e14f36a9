"""A benchmark of one's own: prepared from where it is published, named in a spec, scored by it."""

import contextlib
import csv
import hashlib
import io
import itertools
import json

import pytest
import tiny
import yaml
from browser import PHONE, Tab, chromium
from jobs import show, submit, succeeded
from playwright.sync_api import expect

ROWS = list(tiny.labelled_rows())


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A folder with `tiny`, and `pair` of two tasks, both made from one CSV file."""
    folder = tmp_path_factory.mktemp("registry")
    original = folder / "rows.csv"
    lines = [f'"{row["text"]}",{row["label"].replace(" ", "_")}' for row in ROWS]
    original.write_text("\n".join(["question,kind", *lines]) + "\n", encoding="utf-8")
    digest = {name: sha256(rows) for name, rows in (("train", ROWS[:15]), ("test", ROWS[15:]))}
    benchmark = {
        "about": "Questions to a bank",
        "licence": "none",
        "source": "https://example.org",
        "splits": {
            "train": split("train", digest, original, [0, 15]),
            "test": split("test", digest, original, [15, 23]),
        },
        "original": {
            "format": "csv",
            "fields": {
                "text": {"from": "question"},
                "label": {"from": "kind", "replace": {"_": " "}},
            },
        },
        "spec": {
            "data": {"format": "text_label", "template": "{text}\n>", "few_shot": {"per_class": 2}},
            "eval": {"mode": "label_likelihood", "metric": "macro_f1", "before": True},
        },
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(benchmark, sort_keys=False))
    one, two = {"about": "One"}, {"spec": {"eval": {"metric": "accuracy"}}}
    suite = benchmark | {"tasks": {"one": one, "two": two}}
    (folder / "pair.yaml").write_text(yaml.safe_dump(suite, sort_keys=False))
    return folder


def sha256(rows):
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return hashlib.sha256(lines.encode()).hexdigest()


def split(name, digest, original, take):
    return {
        "file": f"{name}.jsonl",
        "rows": take[1] - take[0],
        "sha256": digest[name],
        "url": original.as_uri(),
        "take": take,
    }


@pytest.fixture(scope="module")
def places(registry, service):
    """Options of pmt that name the registry and the prepared files."""
    options = ["--registry", registry, "--benchmark-data", registry / "data"]
    for name in ("tiny", "pair"):
        done = service.pmt("benchmarks", "prepare", name, *options)
        assert done.code == 0, done
    return options


def test_a_job_is_trained_and_scored_as_its_benchmark_says(lab, service, places, tmp_path):
    spec = lab.spec("by-benchmark", data=None, eval=None, benchmark="tiny")
    job = submit(service, spec, *places)
    succeeded(service, job)
    shown = show(service, job)
    assert shown["spec"]["benchmark"] == "tiny"
    assert shown["spec"]["data"]["template"] == "{text}\n>"
    rows = hashlib.sha256((places[-1] / "tiny" / "train.jsonl").read_bytes()).hexdigest()
    assert shown["spec"]["data"]["train"] == f"content://{rows}/train.jsonl"
    (row,) = service.pmt("results", job, "-o", "json").json["jobs"]
    assert (row["benchmark"], row["metric"]) == ("tiny", "macro_f1")
    assert row["after"] > row["before"]
    assert service.pmt("download", job, "--out", tmp_path).code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert [e["metric"] for e in result["evals"]] == ["macro_f1", "macro_f1"]
    assert result["rows"] == {
        "train": {"total": 10, "too_long": 0},
        "eval": {"total": 8, "too_long": 0},
    }


def test_a_model_is_tested_on_another_benchmark(lab, service, places):
    pairs = lab.folder / "pairs.jsonl"
    tiny.write_rows(pairs, [{"prompt": f"say {i}", "answer": str(i)} for i in range(9)])
    spec = lab.spec(
        "elsewhere",
        data={"train": str(pairs)},
        eval={"benchmark": "tiny", "metric": "accuracy"},
        train__max_steps=2,
    )
    job = submit(service, spec, *places)
    succeeded(service, job)
    (row,) = service.pmt("results", job, "-o", "json").json["jobs"]
    assert (row["benchmark"], row["metric"]) == ("tiny", "accuracy")
    assert 0 <= row["before"] <= 1 and 0 <= row["after"] <= 1


def test_a_suite_gives_each_task_and_the_average(lab, service, places):
    spec = lab.spec(
        "suite", data=None, eval=None, train__max_steps=None, method="none", benchmark="pair"
    )
    submitted = service.pmt("submit", spec, "-o", "json", *places).json
    assert service.pmt("watch", submitted["sweep_id"]).code == 0
    found = service.pmt("results", "--by-job", submitted["sweep_id"], "-o", "json").json
    assert [j["benchmark"] for j in found["jobs"]] == ["pair/one", "pair/two"]
    assert [j["metric"] for j in found["jobs"]] == ["macro_f1", "accuracy"]
    (average,) = found["averages"]
    assert average["suite"] == "pair" and average["tasks"] == 2
    assert average["after"] == pytest.approx(sum(j["after"] for j in found["jobs"]) / 2)


def test_a_sweep_compares_methods_on_benchmarks(lab, service, places):
    spec = lab.spec(
        "answers",
        data={"holdout": {"rows": 5}},
        eval=None,
        train__max_steps=3,
        train__learning_rate=None,
        train__output="none",
        resources__ranks=1,
        sweep={
            "trials": [
                {"method": "none", "train.max_steps": None},
                {"method": {"type": "lora", "r": 2}},
            ],
            "grid": {"benchmark": ["pair"]},
            "search": "grid",
            "space": {
                "train.learning_rate": {
                    "type": "choice",
                    "values": [1e-3, 1e-2],
                    "when": {"method": ["lora"]},
                }
            },
            "tune_on": {"benchmark": ["pair/two"]},
            "seeds": [9],
            "test": {"seeds": 2},
        },
    )
    submitted = service.pmt("submit", spec, "-o", "json", *places)
    assert submitted.code == 0, submitted
    sweep = submitted.json["sweep_id"]
    assert service.pmt("watch", sweep, seconds=240).code == 0
    (ended,) = (s for s in service.pmt("sweeps", "-o", "json").json["sweeps"] if s["id"] == sweep)
    assert ended["reason"] == "all 8 trials were begun", ended
    jobs = service.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"]
    searched = [job["spec"] for job in jobs if not job["trial"]["test"]]
    assert {spec["benchmark"] for spec in searched} == {"pair/two"}
    assert {spec["eval"]["split"] for spec in searched} == {"validation"}
    assert {int(spec["train"]["seed"]) for spec in searched} == {9}
    tested = [job["spec"] for job in jobs if job["trial"]["test"]]
    assert {spec["eval"]["split"] for spec in tested} == {"test"}
    assert all(job["state"] == "JOB_STATE_SUCCEEDED" for job in jobs), jobs

    answer = service.pmt("results", sweep, "-o", "json").json["answer"]
    none, lora = answer["methods"]
    assert answer["tested"] and answer["baseline"] == "none"
    assert [one["metric"] for one in lora["benchmarks"]] == ["macro_f1", "accuracy"]
    assert [one["seeds"] for one in none["benchmarks"] + lora["benchmarks"]] == [1, 1, 2, 2]
    assert "validation_mean" in lora["benchmarks"][1]
    (suite,) = lora["suites"]
    means = [one["mean"] for one in lora["benchmarks"]]
    assert suite["mean"] == pytest.approx(sum(means) / 2)
    assert lora["against_baseline"]["pairs"] == 4
    rows = list(csv.DictReader(io.StringIO(service.pmt("results", sweep, "-o", "csv").out)))
    shown = [float(row["mean"]) for row in rows if row["tested_on"] == "pair"]
    assert shown == pytest.approx([none["suites"][0]["mean"], suite["mean"]])
    table = service.pmt("results", sweep, "--baseline", "lora (r: 2)").out
    assert "vs lora (r: 2)" in table and "pair (2 tasks)" in table, table
    markdown = tables(service.pmt("results", sweep, "-o", "markdown").out)
    with page_of(service, sweep) as tab:
        assert tab.rows("methods") == markdown[0]
        expect(tab.locator("#chosen")).to_be_visible()
        assert [row[-1] for row in tab.rows("chosen")] == [row[-1] for row in markdown[1]]
        assert tab.locator("#untested").is_hidden() and tab.locator("#pareto").is_hidden()


def test_the_pareto_front_of_a_sweep(lab, service, places):
    spec = lab.spec(
        "fronts",
        data=None,
        eval=None,
        benchmark="tiny",
        train__max_steps=3,
        train__learning_rate=None,
        train__output="none",
        resources__ranks=1,
        sweep={
            "grid": {
                "eval.benchmark": ["tiny", "pair/two"],
                "train.learning_rate": [1e-4, 1e-2],
            }
        },
    )
    done = service.pmt("submit", spec, "--results", "-o", "csv", *places)
    assert done.code == 0, done
    sweep = service.pmt("sweeps", "-o", "json").json["sweeps"][0]["id"]
    assert f"submitted {sweep}" in done.err and done.err.count("succeeded") == 4, done
    points = service.pmt("results", sweep, "-o", "json").json["answer"]["pareto"]
    assert len(points) == 2 and any(point["on_front"] for point in points), points
    rows = [row for row in csv.DictReader(io.StringIO(done.out)) if row["on_front"]]
    assert [(float(row["in_distribution"]), row["on_front"] == "true") for row in rows] == [
        (point["in_distribution"], bool(point["on_front"])) for point in points
    ]
    with page_of(service, sweep) as tab:
        dots, front = tab.chart("pareto", "chart.data.datasets.map((set) => set.data)")
        both = [(point["in_distribution"], point["out_of_distribution"]) for point in points]
        assert sorted((dot["x"], dot["y"]) for dot in dots) == sorted(both)
        assert len(front) == sum(point["on_front"] for point in points)
        expect(tab.locator("#pareto")).to_be_visible()
        assert tab.locator("#untested").is_visible()


def tables(markdown):
    """Cells of the rows below the titles, of each table; one that says "-" is empty on a page."""
    cells = [
        [cell.strip(" -") and cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|")
        else []
        for line in markdown.splitlines()
    ]
    parts = [list(part) for filled, part in itertools.groupby(cells, bool) if filled]
    return [part[2:] for part in parts]


@contextlib.contextmanager
def page_of(service, sweep):
    """A tab as wide as a phone with an ended sweep's page, in which nothing may go wrong."""
    with chromium() as browser:
        tab = Tab(browser, f"{service.page}/sweeps/{sweep}", viewport=PHONE)
        tab.locator("#methods").wait_for()
        yield tab
        assert not tab.wider_than_its_window()
        tab.screenshot_as(sweep)
        tab.close()
        assert tab.errors == []


def test_an_unprepared_benchmark_is_refused(lab, service, registry, tmp_path):
    spec = lab.spec("unprepared", data=None, eval=None, benchmark="tiny")
    done = service.pmt("submit", spec, "--registry", registry, "--benchmark-data", tmp_path)
    assert done.code == 13
    assert "is not prepared" in done.err and "pmt benchmarks prepare tiny" in done.err
