"""The wire: one HTTP server on 127.0.0.1 before all stand-ins, which does harm when told to."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

from requests.structures import CaseInsensitiveDict

from tests.chaos.clock import CLOCK
from tests.chaos.promises import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# By this status the wire tells the client's side that no answer comes in time.
HANG = 599
_ERRORS_FROM = 400


@dataclass(frozen=True)
class Ask:
    """A request as it came in.

    Attributes:
        service: `ec2`, `ssm`, `lightly`, `s3` or `source`.
        operation: For example `StartInstances`.
        method: HTTP's.
        path: Of the address.
        query: Behind the question mark.
        headers: HTTP's.
        body: As sent.
    """

    service: str
    operation: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back; `code` is what the call log says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = "ok"


@dataclass
class Harm:
    """What goes wrong on the wire.

    Attributes:
        kind: `error`, `cut-before`, `cut-after`, `hang-before`, `hang-after` or `garbage`.
        answer: Makes the answer of an `error`.
        times: Requests that it strikes; None for all from here on.
    """

    kind: str
    answer: Callable[[Ask], Answer] | None = None
    times: int | None = 1


class Stage(Protocol):
    """What the wire needs to know of the world behind it."""

    def answer(self, ask: Ask) -> Answer:
        """Does what is asked."""

    def harm(self, ask: Ask) -> Harm | None:
        """Returns what goes wrong with this request."""

    def log(self, call: Call) -> None:
        """Keeps a call."""


class Wire:
    """The server; the stage behind it is changed for each trial."""

    def __init__(self) -> None:
        self.stage: Stage | None = None
        handler = type("Handler", (_Handler,), {"wire": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()


def parse(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Ask:
    """Returns a request with the service and operation that it is for."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    service, operation = _operation(method, parts.path, query, headers, body)
    return Ask(service, operation, method, parts.path, query, headers, body)


def _operation(
    method: str,
    path: str,
    query: Mapping[str, list[str]],
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[str, str]:
    from sandbox.lightly.request import route  # noqa: PLC0415  # after the clock is virtual

    if path == "/":
        target = headers.get("x-amz-target", "")
        if target:
            return "ssm", target.rpartition(".")[2]
        return "ec2", parse_qs(body.decode()).get("Action", [""])[0]
    if path.startswith("/source/"):
        return "source", "Fetch"
    routed = route(method, path)
    if routed:
        return "lightly", routed[0]
    return "s3", _s3_operation(method, path, query)


def _s3_operation(method: str, path: str, query: Mapping[str, list[str]]) -> str:
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    if "uploadId" in query:
        return {
            "PUT": "UploadPart",
            "POST": "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload",
        }[method]
    if path.count("/") < 2:  # a bucket without a key
        return "ListObjectsV2"
    return {"HEAD": "HeadObject", "GET": "GetObject", "PUT": "PutObject"}.get(
        method, "DeleteObject"
    )


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    wire: Wire
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_any(self) -> None:
        """Answers one request, or does harm."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = CaseInsensitiveDict(self.headers.items())
        ask = parse(self.command, self.path, headers, body)
        stage = self.wire.stage
        if stage is None:
            self._send(Answer(503, code="closed"))
            return
        harm = stage.harm(ask)
        kind = harm.kind if harm else ""
        begun_at = CLOCK.now
        answer = harm.answer(ask) if harm and harm.answer else None
        acts = kind in ("", "cut-after", "hang-after")
        if acts:
            answer = stage.answer(ask)
        code = kind if kind not in ("", "error") else answer.code if answer else ""
        acted = acts and answer is not None and answer.status < _ERRORS_FROM
        stage.log(Call(begun_at, ask.service, ask.operation, code, acted))
        self._finish(kind, answer)

    def handle_expect_100(self) -> bool:
        """Tells a client that asks whether it may send its body at once."""
        answered = super().handle_expect_100()
        self.wfile.flush()
        return answered

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.do_any
        raise AttributeError(name)

    def _finish(self, kind: str, answer: Answer | None) -> None:
        if kind.startswith("cut"):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        elif kind.startswith("hang"):
            self._send(Answer(HANG))
        elif kind == "garbage":
            self._send(Answer(200, b"<html>no answer at all", {"Content-Type": "text/html"}))
        elif answer:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Says nothing."""
