"""What the tests ask of `pmt`, and how they read an event."""


def submit_all(cluster, spec, *args):
    """Ids of the jobs that the spec makes."""
    done = cluster.pmt("submit", spec, "-o", "json", *args)
    assert done.code == 0, done
    return [job["id"] for job in done.json["jobs"]]


def submit(cluster, spec, *args):
    """Id of the one job that the spec makes."""
    (job,) = submit_all(cluster, spec, *args)
    return job


def show(cluster, job):
    done = cluster.pmt("show", job, "-o", "json")
    assert done.code == 0, done
    return done.json


def state(cluster, job):
    return show(cluster, job)["state"].removeprefix("JOB_STATE_").lower()


def worker_states(cluster):
    """{id: state} of the workers that the coordinator knows."""
    return {w["id"]: w["state"] for w in cluster.pmt("workers", "-o", "json").json["workers"]}


def adapter_bytes(cluster, job, folder):
    """Downloads the job's files into the folder; the weights of its adapter."""
    done = cluster.pmt("download", job, "--out", folder)
    assert done.code == 0, done
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def gangs(cluster, jobs):
    return {show(cluster, job)["gang"] for job in jobs}


def succeeded(cluster, job):
    """Waits for the end, which must be a good one; every event."""
    with cluster.watch(job) as watch:
        code, events, errors = watch.finish()
    assert code == 0, f"{errors}\n{show(cluster, job)}"
    return events


def trainer_event(event, kind):
    """The step, eval, artifact, … that an event carries, or None."""
    return event.get("trainer", {}).get(kind)


def number(event):
    return int(event["number"])


def at_step(least):
    """Says whether an event is that of a step from `least` on."""
    return lambda e: (step := trainer_event(e, "step")) and int(step["step"]) >= least


def checkpointed(least):
    """Says whether an event is that of a checkpoint of a step from `least` on."""

    def check(event):
        artifact = trainer_event(event, "artifact")
        return artifact and artifact["kind"] == "checkpoint" and int(artifact["step"]) >= least

    return check


def losses(events):
    """{step: loss} of the newest event of each step."""
    steps = (trainer_event(e, "step") for e in events)
    return {int(s["step"]): s["loss"] for s in steps if s}


def reasons(events):
    """Why the job was in each state."""
    return [e["state"]["reason"] for e in events if "state" in e]


def log_lines(events):
    return [log["message"] for e in events if (log := trainer_event(e, "log"))]
