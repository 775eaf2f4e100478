"""The wire: listings as JSON, files with ranges, and the sandbox's own addresses, on one port."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from sandbox.cloud.faults import Faults
from sandbox.cloud.store import Call, Store
from sandbox.pexels.catalogue import listed, size_of
from sandbox.pexels.renditions import rendition
from sandbox.steering import LOOPBACK_HOSTS, FaultScript, Steering

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.cloud.faults import Fault

# What can go wrong, by the names of the addresses. An `error` has an HTTP status as its code, and
# Retry-After if it has seconds.
OPERATIONS = ("v1/videos/popular", "v1/videos/search", "videos/popular", "videos/search", "file")
FAULT_KINDS = {
    "error": "answers the HTTP status `code`",
    "cut-before": "closes the connection without an answer",
    "garbage": "answers 200 with a page in HTML",
    "empty": "answers 200 with nothing",
    "truncated": "answers half of what it should and closes the connection",
    "endless": "answers what it should again and again",
    "hang": "does not answer",
    "delay": "waits `seconds`, then answers as usual",
    "pass": "answers as usual: for faults that begin at a later request",
}
_PAGE = b"<!doctype html><title>Pexels stand-in</title><p>Here the real Pexels shows the video."
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_MONTHLY_LIMIT = 20_000
_HANG_S = 3600.0


class StandIn:
    """Everything but the wire.

    Attributes:
        key: The one key that is accepted.
        url: Where it listens.
        renditions: Folder of the files.
        faults: The script of what goes wrong.
        store: Keeps the call log.
    """

    def __init__(self, data: Path, *, key: str, url: str) -> None:
        self.key = key
        self.url = url
        self.renditions = data / "renditions"
        self.faults = Faults(OPERATIONS, FAULT_KINDS)
        self.store = Store(data)


def application(stand_in: StandIn) -> Application:
    """Returns the web application; it answers only to loopback host names."""
    app = Application(log_function=lambda _handler: None)
    mine = {"stand_in": stand_in}
    handlers: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
        (r"/((?:v1/)?videos/(?:popular|search))", _Listing, mine),
        (r"/video-files/(.+)", _File, mine),
        (r"/video/.*", _VideoPage, {}),
        (r"/sandbox/(health|calls)", _View, mine),
        (r"/sandbox/faults", FaultScript, {"faults": stand_in.faults}),
    ]
    app.add_handlers(LOOPBACK_HOSTS, handlers)
    return app


class _Faulty(RequestHandler):
    """An address whose answers can be spoiled."""

    def initialize(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._arrived_at = time.time()

    async def _send(self, operation: str, body: bytes) -> None:
        """Sends an answer, as the script of the faults wants it, and notes the request."""
        fault = self._stand_in.faults.take(operation)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        body = self._spoiled(fault, body)
        self._note(operation, fault)
        if fault.kind in ("cut-before", "hang", "truncated", "endless"):
            await self._break_off(fault.kind, body)
        else:
            await self.finish(body)

    def _spoiled(self, fault: Fault, body: bytes) -> bytes:
        """Returns what is sent in place of the answer."""
        if fault.kind == "error":
            body = self._fail(int(fault.code), fault.message)
            if fault.seconds:
                self.set_header("Retry-After", f"{fault.seconds:.0f}")
        elif fault.kind in ("garbage", "empty"):
            self.clear()
            self.set_header("Content-Type", "text/html" if fault.kind == "garbage" else "video/mp4")
            body = _PAGE if fault.kind == "garbage" else b""
        return body

    def _fail(self, status: int, message: str) -> bytes:
        self.clear()
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        return json.dumps({"error": message}).encode()

    async def _break_off(self, kind: str, body: bytes) -> None:
        if kind == "hang":
            await asyncio.sleep(_HANG_S)
        stream = self.detach()
        try:
            if kind == "truncated":
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                await stream.write(head + body[: len(body) // 2])
            if kind == "endless":
                await stream.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while kind == "endless":
                await stream.write(body)
        except StreamClosedError:
            return
        stream.close()

    def _note(self, operation: str, fault: Fault) -> None:
        told_truth = fault.kind in ("pass", "delay", "error")
        status = self.get_status()
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        asked["path"] = self.request.path
        if "Range" in self.request.headers:
            asked["range"] = self.request.headers["Range"]
        # Never the key itself: whether there was one is what a client is judged by.
        has_key = "Authorization" in self.request.headers
        self._stand_in.store.log(
            Call(
                time=self._arrived_at,
                service="pexels",
                operation=operation,
                parameters={**asked, "has_key": has_key},
                code=str(status) if told_truth else fault.kind,
                acted=told_truth and status < 400,  # noqa: PLR2004  # HTTP's errors begin there
            )
        )


class _Listing(_Faulty):
    """Popular videos, and those that a search finds."""

    async def get(self, operation: str) -> None:
        await self._send(operation, self._answer(is_search=operation.endswith("search")))

    def _answer(self, *, is_search: bool) -> bytes:
        if self.request.headers.get("Authorization") != self._stand_in.key:
            return self._fail(401, "Access to this API has been disallowed")
        query = self.get_query_argument("query", "") if is_search else None
        page, per_page = self._number("page", 1), self._number("per_page", 15)
        if query == "" or not page or not per_page:
            return self._fail(400, "Bad request")
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Ratelimit-Limit", str(_MONTHLY_LIMIT))
        used = len(self._stand_in.store.calls)
        self.set_header("X-Ratelimit-Remaining", str(max(0, _MONTHLY_LIMIT - used)))
        self.set_header("X-Ratelimit-Reset", str(_next_month()))
        url = self._stand_in.url
        return json.dumps(listed(query, page=page, per_page=per_page, url=url)).encode()

    def _number(self, name: str, default: int) -> int:
        """Returns a parameter, or 0 if it is no number from 1 on."""
        text = self.get_query_argument(name, str(default))
        return int(text) if text.isdecimal() else 0


class _File(_Faulty):
    """The files, which anybody may fetch."""

    async def get(self, path: str) -> None:
        size = size_of(path)
        if size is None:
            body = self._fail(404, "There is no such file")
        else:
            body = self._part(rendition(self._stand_in.renditions, size).read_bytes())
        await self._send("file", body)

    def _part(self, content: bytes) -> bytes:
        """Returns the range that is asked for, or everything."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self.set_header("Content-Type", "video/mp4")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("ETag", etag)
        asked = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        if asked is None or self.request.headers.get("If-Range", etag) != etag:
            return content
        start = int(asked[1])
        end = min(int(asked[2] or len(content)) + 1, len(content))
        if start >= end:
            self.set_status(416)
            return b""
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        return content[start:end]


class _VideoPage(RequestHandler):
    """Where a listing says that a person can see the video."""

    def get(self) -> None:
        self.finish(_PAGE)


class _View(Steering):
    """Shows the truth."""

    def initialize(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def get(self, name: str) -> None:
        self.finish({name: "ok" if name == "health" else self._stand_in.store.calls})


def _next_month() -> int:
    """Returns the time at which the month is over, in seconds since the epoch."""
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())
