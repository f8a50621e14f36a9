"""What a service tells of its jobs while it is harmed, kept event by event."""

import collections
import itertools
import threading

from jobs import number, trainer_event

ENDED = ("succeeded", "failed", "cancelled")
DAY_SECONDS = 86_400
SUBMIT_SECONDS = 60


class Told:
    """All that was told of one job. Two of the same events are equal."""

    def __init__(self):
        self.state = "queued"
        self.attempt = self.events = self.step = 0
        self.steps = []  # (attempt, step, loss)

    def __eq__(self, other):
        return vars(self) == vars(other)

    @property
    def ended(self):
        return self.state in ENDED

    def add(self, event):
        """The event after the last one."""
        job = event["job_id"]
        assert not self.ended, f"{job}: an event after its end: {event}"
        assert number(event) == self.events + 1, f"{job}: {event} after event {self.events}"
        self.events += 1
        self.attempt = max(self.attempt, event.get("attempt", 0))
        if state := event.get("state"):
            self.state = state["state"].removeprefix("JOB_STATE_").lower()
        if step := trainer_event(event, "step"):
            self.step = int(step["step"])
            self.steps.append((event["attempt"], self.step, step["loss"]))

    def steps_by_attempt(self):
        steps = collections.defaultdict(list)
        for attempt, step, _ in self.steps:
            steps[attempt].append(step)
        return steps

    def losses(self, job):
        """{step: loss}, where no attempt skips or changes a step, or speaks after a later one."""
        losses, attempts = {}, []
        for attempt, told in itertools.groupby(self.steps, key=lambda step: step[0]):
            attempts.append(attempt)
            steps = [(step, loss) for _, step, loss in told]
            first = steps[0][0]
            whole = [step for step, _ in steps] == list(range(first, first + len(steps)))
            assert whole and first <= len(losses) + 1, f"{job}: attempt {attempt} skips a step"
            for step, loss in steps:
                known = losses.setdefault(step, loss)
                assert known == loss, f"{job}: step {step}: loss {loss}, before it was {known}"
        assert attempts == sorted(set(attempts)), f"{job}: attempts {attempts} speak in turn"
        return losses


class Ledger:
    """Follows sweeps with `pmt watch` until their ends, whatever happens to the service."""

    def __init__(self, stage):
        self.stage = stage
        self.jobs = {}  # {id: Told}
        self.open = {}  # of them, those that have not ended
        self.news = 0  # events so far
        self.trouble = None
        self.changed = threading.Condition()
        self.followers = {}  # {watch: its thread}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for watch, thread in self.followers.items():
            watch.process.kill()
            thread.join()

    def submit(self, spec):
        """A sweep; {id: what is told of it}."""
        done = self.stage.pmt("submit", spec, "--no-upload", "-o", "json")  # all disks are one
        assert done.code == 0, done
        jobs = {job["id"]: Told() for job in done.json["jobs"]}
        with self.changed:
            self.jobs |= jobs
            self.open |= jobs
        watch = self.stage.watch(done.json["sweep_id"], DAY_SECONDS)
        thread = threading.Thread(target=self.follow, args=(watch, jobs))
        self.followers[watch] = thread
        thread.start()
        # `pmt watch` outlives a coordinator that goes away, not one that it has not met.
        self.wait(lambda: all(told.events for told in jobs.values()), SUBMIT_SECONDS, "submitted")
        return jobs

    def follow(self, watch, jobs):
        try:
            with watch:
                for event in watch:
                    with self.changed:
                        self.add(jobs, event)
                        self.changed.notify_all()
                missing = [job for job, told in jobs.items() if not told.ended]
                assert not missing, f"{missing}: the events ended: {watch.process.stderr.read()}"
        except Exception as error:  # of this thread, told to the one that waits
            with self.changed:
                self.trouble = self.trouble or error
                self.changed.notify_all()

    def add(self, jobs, event):
        told = jobs[event["job_id"]]
        told.add(event)
        self.news += 1
        if told.ended:
            del self.open[event["job_id"]]

    def wait(self, condition, seconds, what):
        """Until condition(), which is asked at each event; its value."""

        def looked():
            return self.trouble or condition()

        with self.changed:
            found = self.changed.wait_for(looked, seconds)
        if self.trouble:
            raise AssertionError(f"{what}: {self.trouble}") from self.trouble
        if not found:
            raise TimeoutError(f"{what}: not within {seconds} s")
        return found
