"""The client: a method for each thing that the service does for its users."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prefixmem._proto import job_pb2, job_service_pb2
from prefixmem.client import content
from prefixmem.client import download as transfer
from prefixmem.client import jobs as values
from prefixmem.client import logs as lines
from prefixmem.client import watch as streams
from prefixmem.client.channel import Channel
from prefixmem.client.errors import NotFound, Unavailable, Unimplemented
from prefixmem.client.events import Event
from prefixmem.client.jobs import Artifact, Job, JobState, Removed, Tenant, Worker
from prefixmem.client.logs import LogLine
from prefixmem.client.results import Results, results_of
from prefixmem.client.submission import (
    model_configs,
    named_files,
    pinned,
    renamed,
    text_of,
)
from prefixmem.client.sweeps import Sweep, sweep_of

Spec = Mapping[str, Any] | str | os.PathLike[str] | job_pb2.JobSpec
JobName = Job | str  # a job, its id, or its name where only one job has it
SweepName = Sweep | str  # likewise

_PAGE = 500
_SUBMIT_RETRY_DELAYS = (0.2, 0.4, 0.8)  # seconds
_SWEEP = "sweep-"
_SWEEP_REMOVAL = 600.0  # seconds; it may have thousands of trials
_OPEN = [state for state in JobState if not state.is_final]
_BETWEEN_TRIALS = 0.5  # seconds in which a search may begin the next


class Client:
    """Talks to the coordinator at an address. Thread-safe; dials when first used.

    With `tls_ca`, a PEM file of the authority that signed the coordinator's certificate (unless
    given, PREFIXMEM_TLS_CA in the environment), it dials with TLS; `token` (unless given, what
    PREFIXMEM_TOKEN_FILE or PREFIXMEM_TOKEN holds) says over TLS who calls.
    Every call has a deadline and raises a ServiceError: InvalidArgument, NotFound,
    FailedPrecondition, Unavailable, …
    """

    def __init__(
        self,
        address: str = "127.0.0.1:7070",
        *,
        timeout: float = 30.0,
        patience: streams.Patience | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        token: str | None = None,
    ):
        self._channel = Channel(address, timeout, tls_ca, token)
        self._patience = patience or streams.Patience()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def submit(
        self, spec: Spec, *, idempotency_key: str | None = None, upload: bool = True
    ) -> list[Job]:
        """Stores a job, or each trial of its sweep, and returns at once.

        A mapping, YAML text, a file (a PathLike, or a str that ends in .yaml, .yml or .json), or a
        JobSpec message. Submitting again with the same key and spec gives the jobs of the first
        time; a new key unless given, under which it tries again while the coordinator is away.

        Files that the spec names are uploaded first, if the coordinator takes the spec; not a
        model's, and not those that a JobSpec message names. Paths that are not on this host are
        refused: with `upload=False` they are those of the workers.
        """
        key = idempotency_key or uuid.uuid4().hex
        request = job_service_pb2.SubmitJobRequest(idempotency_key=key)
        if isinstance(spec, job_pb2.JobSpec):
            request.spec.CopyFrom(spec)
        else:
            request.yaml = pinned(text_of(spec))
            if upload:
                for model, config in model_configs(request.yaml).items():
                    request.model_configs.add(model=model, config_json=config)
                request.yaml = self._uploaded(request)
        for delay in _SUBMIT_RETRY_DELAYS:
            try:
                return self._submit(request)
            except Unavailable:
                time.sleep(delay)
        return self._submit(request)

    def upload(self, path: str | os.PathLike[str]) -> str:
        """Sends a file, or a folder, and gives the name under which a spec may have it.

        What the coordinator has is not sent again; where a call breaks, the next goes on.
        """
        found = content.read(path)
        content.send(self._channel, found.contents)
        return found.name

    def get(self, job: JobName) -> Job:
        """A job as it is now."""
        request = job_service_pb2.GetJobRequest(job=_id(job))
        return values.job_of(self._channel.call("GetJob", request))

    def jobs(
        self,
        *,
        states: Iterable[JobState | str] = (),
        labels: Mapping[str, str] | None = None,
        name: str = "",
        sweep_id: str = "",
        limit: int | None = None,
    ) -> list[Job]:
        """Jobs that meet all conditions, the newest first; "bank*" is every name that begins so."""
        request = job_service_pb2.ListJobsRequest(
            states=[JobState(state).number for state in states],
            labels=labels,
            name=name,
            sweep_id=sweep_id,
        )
        found: list[Job] = []
        while limit is None or len(found) < limit:
            request.page_size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self._channel.call("ListJobs", request)
            found += map(values.job_of, page.jobs)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        return found

    def cancel(self, job: JobName) -> Job:
        """Asks a job to stop; FailedPrecondition where it has ended."""
        request = job_service_pb2.CancelJobRequest(job=_id(job))
        return values.job_of(self._channel.call("CancelJob", request))

    def cancel_sweep(self, sweep: SweepName) -> Sweep:
        """Ends a sweep and asks its trials to stop; FailedPrecondition where it has ended."""
        request = job_service_pb2.CancelSweepRequest(sweep=_id(sweep))
        return sweep_of(self._channel.call("CancelSweep", request))

    def remove(self, job: JobName, *, files_only: bool = False) -> Removed:
        """Removes a job that has ended, with its events, logs and files, or only its files.

        FailedPrecondition where it has not ended, is pinned, is a trial (but for its files), or
        where a job that has not ended comes after it.
        """
        request = job_service_pb2.RemoveJobRequest(job=_id(job), files_only=files_only)
        return values.removed_of(self._channel.call("RemoveJob", request))

    def remove_sweep(self, sweep: SweepName, *, files_only: bool = False) -> Removed:
        """Removes a sweep that has ended and all its trials, or only their files.

        FailedPrecondition where one of them is pinned; with `files_only` that one keeps its own.
        """
        request = job_service_pb2.RemoveSweepRequest(sweep=_id(sweep), files_only=files_only)
        return values.removed_of(self._channel.call("RemoveSweep", request, _SWEEP_REMOVAL))

    def pin(self, job: JobName, *, pinned: bool = True) -> Job:
        """Has a job and its files kept, whether or not it has ended, or takes that back."""
        request = job_service_pb2.PinJobRequest(job=_id(job), pinned=pinned)
        return values.job_of(self._channel.call("PinJob", request))

    def watch(self, job: JobName, *, from_number: int = 1) -> Iterator[Event]:
        """Each event once and in order, the past ones first, until the job has ended.

        Survives a coordinator that goes away and comes back within `patience`.
        """
        job_id = self._found(job)
        return streams.watch(self._channel, job_id, from_number, self._patience)

    def logs(self, job: JobName, *, follow: bool = False) -> Iterator[LogLine]:
        """The lines of its log so far; with follow, each as it is written, until the job has ended.

        Following survives a coordinator that goes away and comes back within `patience`.
        """
        if follow:
            job_id = self._found(job)
            return lines.follow(self._channel, job_id, self._patience)
        return lines.read(self._channel, _id(job))

    def wait(self, job: JobName) -> Job:
        """The job once it has ended, however it ended."""
        for event in self.watch(job):
            job = event.job_id
        return self.get(job)

    def sweep(self, sweep: SweepName) -> Sweep:
        """A sweep as it is now, by its id, or its name where only one sweep has it."""
        request = job_service_pb2.GetSweepRequest(sweep=_id(sweep))
        return sweep_of(self._channel.call("GetSweep", request))

    def wait_sweep(self, sweep: SweepName) -> Sweep:
        """The sweep once it and all its trials have ended, however they ended.

        A search begins trials as others end; these are waited for, too. Survives a coordinator that
        goes away and comes back within `patience`.
        """
        sweep_id = self.sweep(sweep).id
        outage = streams.Outage(self._patience.away)
        while True:
            try:
                now = self.sweep(sweep_id)
                outage.over()
                if now.is_over:
                    return now
                newest = self.jobs(sweep_id=sweep_id, states=_OPEN, limit=1)
                if newest:
                    self.wait(newest[0])
                else:
                    time.sleep(_BETWEEN_TRIALS)
            except Unavailable as failure:
                outage.wait(failure)

    def results(self, of: JobName | Iterable[JobName] | Mapping[str, str] | None = None) -> Results:
        """A row for each job: of a job, a sweep, several of them, or all with these labels."""
        return results_of(self._chosen(of))

    def artifacts(self, job: JobName) -> list[Artifact]:
        """The files of a job that the store holds."""
        request = job_service_pb2.ListArtifactsRequest(job=_id(job))
        found = self._channel.call("ListArtifacts", request).artifacts
        return list(map(values.artifact_of, found))

    def download(
        self, job: JobName, folder: str | os.PathLike[str], *, paths: Iterable[str] = ()
    ) -> list[pathlib.Path]:
        """Fetches adapter, result and metrics, or the files and folders named by `paths`.

        Each file is checked by size and sha256 and then renamed into place.
        """
        job_id = self._found(job)
        artifacts = self.artifacts(job_id)
        if not artifacts and (removed := self.get(job_id).files_remove_time):
            raise NotFound(f"job {job_id} has no files; they were removed at {removed:%F %T} UTC")
        chosen = transfer.choose(artifacts, list(paths), job_id)
        into = pathlib.Path(folder)
        return [transfer.download(self._channel, job_id, file, into) for file in chosen]

    def workers(self) -> list[Worker]:
        """The workers that the coordinator knows."""
        response = self._channel.call("ListWorkers", job_service_pb2.ListWorkersRequest())
        return list(map(values.worker_of, response.workers))

    def cordon(self, worker_id: str) -> Worker:
        """Has nothing more placed on a worker, until `uncordon`; what runs there goes on."""
        request = job_service_pb2.CordonWorkerRequest(worker=worker_id)
        return values.worker_of(self._channel.call("CordonWorker", request))

    def drain(self, worker_id: str) -> Worker:
        """Cordons a worker; its jobs write a checkpoint and go on elsewhere."""
        request = job_service_pb2.DrainWorkerRequest(worker=worker_id)
        return values.worker_of(self._channel.call("DrainWorker", request))

    def uncordon(self, worker_id: str) -> Worker:
        """Has jobs placed on a worker again."""
        request = job_service_pb2.UncordonWorkerRequest(worker=worker_id)
        return values.worker_of(self._channel.call("UncordonWorker", request))

    def coordinator_version(self) -> str:
        """Of the coordinator that answers, e.g. "0.1.0+20261130204507.g5a1ea7c"."""
        request = job_service_pb2.GetVersionRequest()
        return self._channel.call("GetVersion", request).version

    def tenants(self) -> list[Tenant]:
        """Who shares the slots, by name: shares, quotas, and what they use of them."""
        response = self._channel.call("ListTenants", job_service_pb2.ListTenantsRequest())
        return list(map(values.tenant_of, response.tenants))

    def _found(self, job: JobName) -> str:
        """The id of a job that is there; names and prefixes are asked for."""
        return job.id if isinstance(job, Job) else self.get(job).id

    def _uploaded(self, submitted: job_service_pb2.SubmitJobRequest) -> str:
        """Its spec with content in the place of files."""
        files = named_files(submitted.yaml)
        if not files:
            return submitted.yaml
        request = job_service_pb2.CheckJobRequest(
            yaml=submitted.yaml,
            idempotency_key=submitted.idempotency_key,
            model_configs=submitted.model_configs,
        )
        with contextlib.suppress(Unimplemented):  # by an older one, which looks at it later
            self._channel.call("CheckJob", request)
        return renamed(submitted.yaml, {path: self.upload(path) for path in files})

    def _submit(self, request: job_service_pb2.SubmitJobRequest) -> list[Job]:
        return list(map(values.job_of, self._channel.call("SubmitJob", request).jobs))

    def _chosen(self, of: JobName | Iterable[JobName] | Mapping[str, str] | None) -> list[Job]:
        """In the order named; those of a sweep or selector in the order submitted."""
        if of is None or isinstance(of, Mapping):
            return self.jobs(labels=of)[::-1]
        if isinstance(of, Job):
            return [self.get(of)]
        if isinstance(of, str):
            return self._named(of)
        found = [job for one in of for job in self._chosen(one)]
        return list({job.id: job for job in found}.values())

    def _named(self, name: str) -> list[Job]:
        """A job, or the jobs of a sweep, by id or name; where both have the name, the job."""
        if name.startswith(_SWEEP) and (found := self.jobs(sweep_id=name)):
            return found[::-1]
        try:
            return [self.get(name)]
        except NotFound:
            request = job_service_pb2.GetSweepRequest(sweep=name)
        try:
            sweep = self._channel.call("GetSweep", request)
        except NotFound:
            raise NotFound(f'no job or sweep has the id or name "{name}"') from None
        return self.jobs(sweep_id=sweep.id)[::-1]


def _id(of: JobName | SweepName) -> str:
    return of if isinstance(of, str) else of.id
