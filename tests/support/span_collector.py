"""A collector of OpenTelemetry spans over HTTP, as far as a test needs one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came; ids in hex, times in seconds since the epoch."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_at: float
    ended_at: float
    is_error: bool
    service: str
    facts: dict[str, str | int]


@dataclass
class SpanCollector:
    """What has come so far.

    Attributes:
        url: What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
        bodies: Every request's body.
        headers: Value of each request's header `x-key`.
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def spans(self) -> list[ReceivedSpan]:
        """Returns all spans, the one that began first in front."""
        found = [span for body in list(self.bodies) for span in _spans(body)]
        return sorted(found, key=lambda span: span.began_at)


@contextmanager
def span_collector() -> Iterator[SpanCollector]:
    """Runs a collector."""
    received = SpanCollector()
    server = _Server(received)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Knows what has come so far."""

    def __init__(self, received: SpanCollector) -> None:
        self.received = received
        super().__init__(("127.0.0.1", 0), _Handler)
        received.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    """Takes what comes to the one address there is."""

    server: _Server

    def do_POST(self) -> None:
        """Answers as a collector does."""
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.headers.append(self.headers.get("x-key", ""))
        self.server.received.bodies.append(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Says nothing on stderr."""


def _spans(body: bytes) -> Iterator[ReceivedSpan]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {item.key: item.value.string_value for item in group.resource.attributes}
        for span in (span for scope in group.scope_spans for span in scope.spans):
            yield ReceivedSpan(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                began_at=span.start_time_unix_nano / 1e9,
                ended_at=span.end_time_unix_nano / 1e9,
                is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                service=resource["service.name"],
                facts={
                    item.key: item.value.string_value or item.value.int_value
                    for item in span.attributes
                },
            )
