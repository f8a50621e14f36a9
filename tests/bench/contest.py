"""Runs in turn of several contestants on the same work, and what their times and losses say."""

import dataclasses
import statistics

from harness import Check, Table, say

WARM_UP = 2  # steps of each run that are not timed
DTYPES = ("bf16", "fp32")
# Relative differences of losses. In bf16 both sides round as they go and differ by what either is
# away from fp32: there the first step and the last tenth are held.
EVERY_STEP, FIRST_STEP, LAST_STEPS = 1e-4, 1e-2, 2e-2


def differences(dtype, ours, theirs):
    """(which losses, how far they are apart, what is allowed) of two runs."""
    if len(ours) != len(theirs):
        raise ValueError(f"runs of {len(ours)} and {len(theirs)} steps")
    away = [abs(a - b) / max(1, abs(b)) for a, b in zip(ours, theirs, strict=True)]
    if dtype == "fp32":
        return [(f"the losses of {len(away)} steps", max(away), EVERY_STEP)]
    last = -max(1, len(away) // 10)
    ends = [statistics.mean(losses[last:]) for losses in (ours, theirs)]
    return [
        ("the first loss", away[0], FIRST_STEP),
        ("the last loss", abs(ends[0] - ends[1]) / max(1, abs(ends[1])), LAST_STEPS),
    ]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run: of each step its loss before the update and its seconds; the peak of its memory."""

    losses: list[float]
    seconds: list[float]
    peak_bytes: int = 0
    allreduce_seconds: list[float] = dataclasses.field(default_factory=list)


class Contest:
    """The runs of {name: function(dtype) that runs it once}, in turn.

    The first round takes every dtype, so that losses can be compared; later ones only the dtype
    in which a contestant was faster, which is the one that counts for it.
    """

    def __init__(self, contestants, rounds, rows_a_step, dtypes=DTYPES):
        self.rows_a_step = rows_a_step
        self.dtypes = dtypes
        self.runs = {name: {dtype: [] for dtype in dtypes} for name in contestants}
        for number in range(rounds):
            for name, run in contestants.items():
                for dtype in dtypes if number == 0 else [self.faster(name)]:
                    self.runs[name][dtype].append(run(dtype))
                    say(f"  round {number + 1}, {name}, {dtype}: {self.rate(name, dtype):.2f} /s")

    def seconds(self, name, dtype=None):
        """Of a step: the median over the timed steps of all rounds."""
        runs = self.runs[name][dtype or self.faster(name)]
        return statistics.median(s for run in runs for s in run.seconds[WARM_UP:])

    def faster(self, name):
        return min(self.dtypes, key=lambda dtype: self.seconds(name, dtype))

    def rate(self, name, dtype=None):
        return self.rows_a_step / self.seconds(name, dtype)

    def times(self, ours, theirs):
        return self.seconds(theirs) / self.seconds(ours)

    def peak(self, name, dtype=None):
        """The largest of all rounds."""
        return max(run.peak_bytes for run in self.runs[name][dtype or self.faster(name)])

    def beside(self, ours, theirs):
        """What a ratio was made of."""
        return (
            f"{self.rate(ours):.2f} examples/s in {self.faster(ours)}, "
            f"{self.rate(theirs):.2f} in {self.faster(theirs)}"
        )

    def losses(self, name, dtype):
        return self.runs[name][dtype][0].losses

    def agreement(self, ours, theirs):
        """A Check for each dtype, of the first run's losses."""
        for dtype in self.dtypes:
            losses = [self.losses(name, dtype) for name in (ours, theirs)]
            for what, away, limit in differences(dtype, *losses):
                yield Check(
                    f"{ours}, {dtype}: {what} within {away:.1e} of {theirs} (allowed {limit:.0e})",
                    away <= limit,
                )

    def table(self):
        heading = ["run", "dtype", "examples/s", "peak memory (MiB)", "first loss", "last loss"]
        rows = []
        for name, by_dtype in self.runs.items():
            for dtype in by_dtype:
                losses = self.losses(name, dtype)
                rows.append(
                    [
                        name,
                        dtype,
                        f"{self.rate(name, dtype):.2f}",
                        f"{self.peak(name, dtype) / 2**20:.0f}",
                        f"{losses[0]:.4f}",
                        f"{losses[-1]:.4f}",
                    ]
                )
        return Table(heading, rows)
