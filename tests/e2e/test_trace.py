"""`pmt trace`: a real job's life, as a file that Perfetto reads."""

import json

import pytest
from jobs import at_step, submit, submit_all
from perfetto import perfetto


@pytest.fixture(scope="module")
def jobs(lab, service):
    """Two trials that share a gang, from start to end."""
    spec = lab.spec(
        "traced",
        train__checkpoint_every=4,
        eval__before=True,
        sweep={"grid": {"train.seed": [1, 2]}},
    )
    ids = submit_all(service, spec)
    assert service.pmt("watch", *ids).code == 0
    return ids


def trace_text(service, *args):
    done = service.pmt("trace", *args)
    assert done.code == 0, done
    return done.out


def trace(service, *args):
    return json.loads(trace_text(service, *args))["traceEvents"]


def names_of_processes(events):
    return {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}


def spans_by_process(events):
    """{pid: its complete events}, each of which has a time and lasts."""
    spans = {}
    for event in events:
        assert event["ph"] in ("M", "X", "i"), event
        if event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] > 0 and event["name"], event
            spans.setdefault(event["pid"], []).append(event)
    return spans


def parents(spans):
    """{index: index of the span around it}; fails where two overlap and neither holds the other."""
    around, found = [], {}
    for i, span in enumerate(spans):
        end = span["ts"] + span["dur"]
        while around and span["ts"] >= (outer := spans[around[-1]])["ts"] + outer["dur"]:
            around.pop()
        assert not around or end <= outer["ts"] + outer["dur"], (span, outer)
        found[i] = around[-1] if around else None
        around.append(i)
    return found


def test_the_life_of_each_job(service, jobs):
    events = trace(service, *jobs)
    named = names_of_processes(events).values()
    assert all(f"({job})" in name for job, name in zip(jobs, named, strict=True))
    by_process = spans_by_process(events)
    assert len(by_process) == len(jobs)
    for pid, spans in by_process.items():
        around = parents(spans)
        assert [i for i, outer in around.items() if outer is None] == [0], "one span holds all"
        names = [span["name"] for span in spans]
        for name in ("queued", "attempt 1", "starting", "loading", "training", "evaluating"):
            assert name in names, (name, names)
        assert names.count("step") == 12
        # One that is gone before its upload begins, because newer ones came, is none.
        assert 1 <= names.count("checkpoint") <= 3
        assert names.count("evaluation accuracy") == 2
        inside = {names[i]: names[outer] for i, outer in around.items() if outer is not None}
        assert inside["attempt 1"] == inside["queued"] == names[0]
        assert inside["step"] == inside["checkpoint"] == "training"
        assert inside["evaluation accuracy"] == "evaluating"
        marks = [e["name"] for e in events if e["ph"] == "i" and e["pid"] == pid]
        order = [m for m in marks if m in ("submitted", "first step", "result", "succeeded")]
        assert order == ["submitted", "first step", "result", "succeeded"]


def test_perfetto_opens_it(service, jobs):
    """With nothing to complain of, each span below the one that holds it in the file."""
    text = trace_text(service, *jobs)
    events = json.loads(text)["traceEvents"]
    with perfetto(text.encode()) as query:
        complaints = "select name, value from stats where severity != 'info' and value > 0"
        assert query(complaints) == []
        processes = query("select pid, name from process where name is not null order by pid")
        named = {process["pid"]: process["name"] for process in processes}
        assert named == names_of_processes(events)
        shown = query(
            """
            select pid, thread.name as track, slice.name, parent.name as parent from slice
            join thread_track on slice.track_id = thread_track.id
            join thread using (utid) join process using (upid)
            left join slice parent on slice.parent_id = parent.id
            """
        )
        losses = query("select display_value from args where key = 'args.loss'")
    for pid, spans in spans_by_process(events).items():
        around = parents(spans)
        names = [span["name"] for span in spans]
        expected = [(names[i], None if o is None else names[o]) for i, o in around.items()]
        marks = [(e["name"], None) for e in events if e["ph"] == "i" and e["pid"] == pid]
        for track, there in (("life", expected), ("marks", marks)):
            rows = [row for row in shown if (row["pid"], row["track"]) == (pid, track)]
            found = [(row["name"], row["parent"]) for row in rows]
            assert sorted(found, key=str) == sorted(there, key=str)
    assert len(losses) >= 12 * len(jobs)


def test_of_a_job_that_runs(lab, service, tmp_path):
    job = submit(service, lab.spec("runs", train__max_steps=1_000_000, resources__ranks=1))
    with service.watch(job) as watch:
        watch.until(at_step(2))
        file = tmp_path / "trace.json"
        assert service.pmt("trace", job, "--out", file).code == 0
        spans = spans_by_process(json.loads(file.read_text())["traceEvents"])[1]
        parents(spans)
        assert {s["name"] for s in spans if s["args"].get("open")} == {
            "runs",
            "attempt 1",
            "training",
        }
    service.pmt("cancel", job)
    assert service.pmt("watch", job).code == 3


def test_a_job_that_is_not_there(service):
    assert service.pmt("trace", "nobody").code == 12
