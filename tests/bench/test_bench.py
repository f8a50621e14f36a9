"""What the benchmarks conclude from runs: which dtype counts, what fails, what the plot shows."""

import xml.etree.ElementTree as xml

import curves
import generation
import harness
import plot
import pytest
import summary
from contest import Contest, Run

SECONDS = {("theirs", "bf16"): 4.0, ("theirs", "fp32"): 2.0, ("ours", "bf16"): 0.5}


def contest(rounds=1, losses=None):
    """Two contestants of three steps: theirs is faster in fp32, ours in bf16."""
    asked = []

    def contestant(name):
        def run(dtype):
            asked.append((name, dtype))
            seconds = SECONDS.get((name, dtype), 1.0)
            own = (losses or {}).get((name, dtype), [2.0, 1.0, 0.5])
            return Run(own, [100.0, 100.0, seconds], 8 << 20)

        return run

    return Contest({n: contestant(n) for n in ("theirs", "ours")}, rounds, 8), asked


def test_the_faster_dtype_counts():
    runs, asked = contest(rounds=2)
    assert (runs.faster("theirs"), runs.faster("ours")) == ("fp32", "bf16")
    assert runs.times("ours", "theirs") == pytest.approx(4)
    assert runs.rate("ours") == pytest.approx(16)
    assert asked[4:] == [("theirs", "fp32"), ("ours", "bf16")]


def test_losses_that_differ_fail_in_their_dtype():
    runs, _ = contest(losses={("ours", "fp32"): [2.0, 1.001, 0.5]})
    held = [
        (check.text.split(" within")[0], check.holds) for check in runs.agreement("ours", "theirs")
    ]
    assert held == [
        ("ours, bf16: the first loss", True),
        ("ours, bf16: the last loss", True),
        ("ours, fp32: the losses of 3 steps", False),
    ]


@pytest.mark.parametrize(
    "losses, holds",
    [
        ([2.01, 1.2, 0.51], [True, True]),
        ([2.03, 1.0, 0.5], [False, True]),
        ([2.0, 1.0, 0.6], [True, False]),
    ],
)
def test_in_bf16_the_ends_are_held(losses, holds):
    runs, _ = contest(losses={("ours", "bf16"): losses})
    checks = [c for c in runs.agreement("ours", "theirs") if "bf16" in c.text]
    assert [check.holds for check in checks] == holds


def test_a_run_that_ends_early_is_no_agreement():
    runs, _ = contest(losses={("ours", "bf16"): [2.0, 1.0]})
    with pytest.raises(ValueError):
        list(runs.agreement("ours", "theirs"))


FIGURES = [
    harness.Figure("speed <a> & b", 6.1, 6),
    harness.Figure("speed c", 2.0, 6),
    harness.Figure("memory", 0.6, 0.5, unit="", at_most=True),
]


def test_verdicts():
    assert [summary.verdict(figure, True) for figure in FIGURES] == ["met", "not met", "not met"]
    assert summary.verdict(FIGURES[0], False) == "does not count"
    assert summary.verdict(harness.Figure("told", 1.0), True) == "no bar"


def test_the_plot_shows_every_figure_against_its_bar():
    root = xml.fromstring(plot.svg(FIGURES))
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"speed <a> & b", "6.1x (bar 6x)", "0.6 (bar at most 0.5)"} <= texts
    rects = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    reached = [float(rect.get("width")) * plot.REACH / plot.BARS for rect in rects]
    assert reached == pytest.approx([6.1 / 6, 1 / 3, 0.5 / 0.6], abs=1e-3)


def generated(method, context, batch, token_seconds, cache_bytes=2 << 20):
    return {
        "method": method,
        "context": context,
        "batch": batch,
        "first_seconds": 0.2,
        "token_seconds": token_seconds,
        "cache_bytes": cache_bytes,
        "adapter_bytes": 1 << 20,
    }


def test_generation_is_told_beside_the_base_of_the_same_shape():
    lines = [
        generated("none", 64, 1, 0.010),
        generated("lora", 64, 1, 0.012),
        generated("none", 64, 4, 0.040, 8 << 20),
        generated("lora", 64, 4, 0.060, 8 << 20),
    ]
    ratio, where = generation.worst(lines, "lora")
    assert (ratio, where["batch"]) == (pytest.approx(1.5), 4)
    last = generation.table(lines).rows[-1]
    assert last == ["64", "4", "LoRA", "200.0 (1.00x)", "60.0 (1.50x)", "2.00", "1.00"]
    one, four = generation.panels(lines)
    assert (one.title, four.title) == ("1 row at a time", "4 rows at a time")
    assert four.lines["LoRA"] == [(64, 60.0)]


def test_curves_rise_with_their_values():
    panel = curves.Panel("t", "x <", "y", {"a": [(1, 2.0), (10, 4.0)], "b": [(1, 1.0), (10, 1.0)]})
    drawn = xml.fromstring(curves.svg([panel, panel]))
    lines = [e.get("points") for e in drawn.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 4

    def heights(points):
        return [float(point.split(",")[1]) for point in points.split()]

    low, high = heights(lines[0])
    assert high < low, "y counts downwards"
    assert len(set(heights(lines[1]))) == 1
