"""The lines that the server writes: one for each request that changed something or went wrong."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from fastapi.responses import PlainTextResponse

from curation import at_work, telemetry
from curation.models import RUN_ID_PATTERN

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from curation.setting_groups import LogFormat

log = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD"})
_OF_RUN = re.compile(rf"/runs/({RUN_ID_PATTERN.strip('^$')})(?:/|$)")
# A ticket lets in, so it stays out of the logs; queries are left out altogether.
_TICKET = re.compile(r"(?<=/report/)[^/]+")


def set_up(log_format: LogFormat) -> None:
    """Has all lines of this process, the web server's too, written to stderr as the others are.

    Args:
        log_format: `text` or `json`.
    """
    handler = logging.StreamHandler()
    telemetry.set_up([handler], log_format)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


@dataclass(frozen=True)
class Lines:
    """Writes a line for each request, and lets the lines in between say which run they are about.

    Attributes:
        app: Answers the requests.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        work_id, run = uuid4().hex, _OF_RUN.match(scope["path"])
        at_work.begin(work_id, {"run_id": run[1]} if run else {})
        try:
            await self._answer(scope, receive, answer)
            answer.tell(scope)
        finally:
            at_work.end(work_id)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self.app(scope, receive, answer)
        except Exception:
            log.exception("Request met a defect")
            if answer.status is None:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                await PlainTextResponse(f"{status.phrase}\n", status)(scope, receive, answer)


class _Answer:
    """Sends an answer and remembers what it was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._began = time.monotonic()
        self._location = ""
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._location = dict(message["headers"]).get(b"location", b"").decode("latin-1")
        await self._send(message)

    def tell(self, scope: Scope) -> None:
        status = self.status or 0
        facts = {
            "method": scope["method"],
            "path": _TICKET.sub("…", scope["path"]),
            "status": status,
            "took_s": round(time.monotonic() - self._began, 3),
        }
        if made := _OF_RUN.match(self._location):
            facts["run_id"] = made[1]
        log.log(_level(scope["method"], status), "Request answered", extra=facts)


def _level(method: str, status: int) -> int:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.WARNING
    # Pages look again every other second: who only looks, and may, is not worth a line.
    is_look = method in READING and status < HTTPStatus.BAD_REQUEST
    return logging.DEBUG if is_look else logging.INFO
