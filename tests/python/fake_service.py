"""A JobService whose answers a test has written, on a free port of loopback."""

import concurrent.futures
import contextlib
import threading

import grpc
from prefixmem._proto import (
    content_service_pb2,
    content_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
)


class Refusal(Exception):
    """Ends a call with a code."""

    def __init__(self, code, details="because"):
        super().__init__(details)
        self.code, self.details = code, details


def refuse(code, details):
    raise Refusal(code, details)


class FakeService(job_service_pb2_grpc.JobServiceServicer):
    """answers[method](request) is the answer, or yields those of a stream; each request is kept.

    An answer that waits for `released` holds its call until the server is stopped.
    """

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.deadlines = []
        self.tokens = []
        self.released = threading.Event()
        self.content = FakeContent()

    def _take(self, method, request, context):
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        if method not in self.answers:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, method)
        return self.answers[method](request)

    def _call(self, method, request, context):
        try:
            return self._take(method, request, context)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.details)

    def _stream(self, method, request, context):
        try:
            yield from self._take(method, request, context)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.details)


def _method(name, streams):
    def handle(self, request, context):
        return (self._stream if streams else self._call)(name, request, context)

    return handle


for _method_type in job_service_pb2.DESCRIPTOR.services_by_name["JobService"].methods:
    setattr(
        FakeService, _method_type.name, _method(_method_type.name, _method_type.server_streaming)
    )


class FakeContent(content_service_pb2_grpc.ContentServiceServicer):
    """Content in memory; the next uploads fail once so many of their bytes have come (`breaks`)."""

    def __init__(self):
        self.whole = {}
        self.unfinished = {}
        self.breaks = []
        self.uploads = []  # (sha256, offset)
        self.refusal = None  # of uploads: code and details

    def StatContent(self, request, context):
        states = content_service_pb2.StatContentResponse()
        for sha256 in request.sha256:
            there = self.whole.get(sha256)
            received = len(self.unfinished.get(sha256, b"") if there is None else there)
            states.contents.add(sha256=sha256, complete=there is not None, received_bytes=received)
        return states

    def UploadContent(self, requests, context):
        header = next(requests).header
        self.uploads.append((header.sha256, header.offset))
        if self.refusal:
            context.abort(*self.refusal)
        left = self.breaks.pop(0) if self.breaks else None
        received = self.unfinished.get(header.sha256, b"")[: header.offset]
        for request in requests:
            received += request.chunk[:left]
            if left is not None:
                self.unfinished[header.sha256] = received
                context.abort(grpc.StatusCode.UNAVAILABLE, "the test broke the upload")
        self.whole[header.sha256] = received
        return content_service_pb2.UploadContentResponse(sha256=header.sha256)


class Host:
    """A server that can be stopped and started again at its address; with credentials, over TLS."""

    def __init__(self, service, credentials=None):
        self.service = service
        self.credentials = credentials
        self.port = 0
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.service.released.clear()
        pool = concurrent.futures.ThreadPoolExecutor(32)
        self.server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self.service, self.server)
        content_service_pb2_grpc.add_ContentServiceServicer_to_server(
            self.service.content, self.server
        )
        address = f"127.0.0.1:{self.port}"
        if self.credentials:
            self.port = self.server.add_secure_port(address, self.credentials)
        else:
            self.port = self.server.add_insecure_port(address)
        self.server.start()

    def stop(self):
        stopped = self.server.stop(None)
        self.service.released.set()
        stopped.wait()


@contextlib.contextmanager
def served(credentials=None):
    host = Host(FakeService(), credentials)
    try:
        yield host
    finally:
        host.stop()


def state(number, name, job="job-a"):
    event = job_pb2.JobEvent(job_id=job, number=number, attempt=1)
    event.state.state = job_pb2.JobState.Value(f"JOB_STATE_{name}")
    event.state.reason = f"is {name}"
    event.time.FromSeconds(number)
    return event


def step(number, loss, job="job-a"):
    event = job_pb2.JobEvent(job_id=job, number=number, attempt=1)
    event.trainer.step.step = number
    event.trainer.step.loss = loss
    return event


def story():
    """Five events of a job, from the first to the last."""
    return [
        state(1, "QUEUED"),
        state(2, "RUNNING"),
        step(3, 2.5),
        step(4, 1.5),
        state(5, "SUCCEEDED"),
    ]
