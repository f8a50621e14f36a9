"""A benchmark of one's own: prepared from where it is published, named in a spec, scored by it."""

import hashlib
import json

import pytest
import tiny
import yaml
from jobs import show, submit, succeeded

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
    assert shown["spec"]["data"]["train"].endswith("/data/tiny/train.jsonl")
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


def test_an_unprepared_benchmark_is_refused(lab, service, registry, tmp_path):
    spec = lab.spec("unprepared", data=None, eval=None, benchmark="tiny")
    done = service.pmt("submit", spec, "--registry", registry, "--benchmark-data", tmp_path)
    assert done.code == 13
    assert "is not prepared" in done.err and "pmt benchmarks prepare tiny" in done.err
