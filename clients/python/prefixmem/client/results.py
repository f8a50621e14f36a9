"""The table that compares jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prefixmem.client.jobs import Job

if TYPE_CHECKING:
    import pandas


class Results(list[dict[str, Any]]):
    """A flat dict for each job; what is not known is None.

    job, name, sweep, state, reason, method; metric and its value before and after training (method
    none: its only score is both); loss of the last step; steps, tokens_per_second,
    trainable_parameters, wall_seconds; label.<key> for each label that any of the jobs has.
    """

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame with a row a job; needs pandas."""
        import pandas

        return pandas.DataFrame.from_records(self)


def results_of(jobs: Iterable[Job]) -> Results:
    jobs = list(jobs)
    labels = sorted({key for job in jobs for key in job.labels})
    return Results(_row(job) | {f"label.{k}": job.labels.get(k) for k in labels} for job in jobs)


def method_text(method: dict[str, Any]) -> str:
    """lora r=8; prefix_memory + lora r=8"""
    if method.get("type") == "lora":
        return f"lora r={method['r']}"
    if method.get("type") == "combined":
        return " + ".join(map(method_text, method["methods"]))
    return method.get("type", "")


def _row(job: Job) -> dict[str, Any]:
    progress = job.progress
    return {
        "job": job.id,
        "name": job.name,
        "sweep": job.sweep_id or None,
        "state": str(job.state),
        "reason": job.reason,
        "method": method_text(job.spec.get("method", {})),
        **_scores(job),
        "loss": progress.loss if progress.step else None,
        "steps": progress.step,
        "tokens_per_second": progress.tokens_per_second or None,
        "trainable_parameters": progress.trainable_parameters,
        "wall_seconds": progress.wall_seconds or None,
    }


def _scores(job: Job) -> dict[str, Any]:
    """Of the metric that was reported last."""
    if not job.progress.evals:
        return {"metric": None, "before": None, "after": None}
    last = job.progress.evals[-1]
    first = [e.value for e in job.progress.evals if e.metric == last.metric and e.step == 0]
    untrained = job.spec.get("method", {}).get("type") == "none"
    after = last.value if last.step > 0 or untrained else None
    return {"metric": last.metric, "before": first[-1] if first else None, "after": after}
