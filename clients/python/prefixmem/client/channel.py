"""The connection: an address, a channel, and every call with a deadline and a typed error."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import grpc

from prefixmem._proto import content_service_pb2_grpc, job_service_pb2_grpc
from prefixmem.client.errors import from_rpc

_OPTIONS = [
    ("grpc.max_receive_message_length", 256 << 20),  # a page of jobs with long specs
    # Finds a host that vanished under a quiet stream; a server takes a ping every 5 minutes.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
]


class Channel:
    """Thread-safe. `timeout`: seconds that a call which answers at once may take."""

    def __init__(
        self,
        address: str,
        timeout: float,
        tls_ca: str | os.PathLike[str] | None = None,
        token: str | None = None,
    ):
        match = re.fullmatch(r".+:(\d{1,5})", address)
        if not match or not 0 < int(match[1]) < 65536:
            raise ValueError(f'the address is "{address}"; allowed: HOST:PORT, e.g. 127.0.0.1:7070')
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout}; allowed: a number of seconds above 0")
        self.address = address
        self.timeout = timeout
        authorities = tls_ca or os.environ.get("PREFIXMEM_TLS_CA")
        self._channel = _open(address, authorities, token or _token_of_environment())
        self._stubs = (
            job_service_pb2_grpc.JobServiceStub(self._channel),
            content_service_pb2_grpc.ContentServiceStub(self._channel),
        )

    def call(self, method: str, request: Any, least: float = 0) -> Any:
        """The answer; the call has at least so many seconds."""
        try:
            return self._method(method)(request, timeout=max(self.timeout, least))
        except grpc.RpcError as error:
            raise from_rpc(error, self.address) from error

    def stream(self, method: str, request: Any, seconds: float) -> Iterator[Any]:
        """Each message; the call ends with the iterator, and after `seconds` at the latest."""
        call = self._method(method)(request, timeout=seconds)
        try:
            while (message := self._next(call)) is not None:
                yield message
        finally:
            call.cancel()

    def send(self, method: str, messages: Iterator[Any], seconds: float) -> Any:
        """The answer to a stream of messages, of which the service may want only the first few."""
        try:
            return self._method(method)(messages, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc(error, self.address) from error

    def close(self) -> None:
        self._channel.close()

    def _method(self, name: str) -> Any:
        """Names are those of one service alone."""
        return next(getattr(stub, name) for stub in self._stubs if hasattr(stub, name))

    def _next(self, call: Any) -> Any | None:
        try:
            return next(call, None)
        except grpc.RpcError as error:
            raise from_rpc(error, self.address) from error


def _token_of_environment() -> str | None:
    if file := os.environ.get("PREFIXMEM_TOKEN_FILE"):
        return pathlib.Path(file).read_text(encoding="ascii").strip()
    return os.environ.get("PREFIXMEM_TOKEN")


def _open(address: str, tls_ca: str | os.PathLike[str] | None, token: str | None) -> grpc.Channel:
    if token and not tls_ca:
        raise ValueError(
            "a token is given without tls_ca; allowed: with it, for TLS keeps it secret"
        )
    if not tls_ca:
        return grpc.insecure_channel(address, options=_OPTIONS)
    authorities = pathlib.Path(tls_ca).read_bytes()
    if b"BEGIN CERTIFICATE" not in authorities:
        raise ValueError(f"tls_ca is {tls_ca}, which holds no certificate; allowed: a PEM file")
    credentials = grpc.ssl_channel_credentials(authorities)
    if token:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(token)
        )
    return grpc.secure_channel(address, credentials, options=_OPTIONS)
