"""The door that every request passes: host, size, password, headers; then page or API answers."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders

from pipeline.web.lines import READING
from pipeline.web.login import CHALLENGE, has_login, has_ticket
from pipeline.web.problems import problem

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A request is a few hundred bytes; a selection config may have some thousand.
MAX_BODY_BYTES = 64 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
# Nothing inline, nothing from elsewhere, nobody's frame.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Door:
    """Leads whoever comes with a token, or wants to change something, to the API.

    So one address names one thing: `/runs/RUN_ID` is a page for whoever has the password, and the
    status object for whoever has the token.

    Attributes:
        pages: Answers people who have the password. Only reads.
        api: Answers programs, and checks their token itself.
        login: `user:password` of the pages.
        loopback_only: Whether only names of this machine are answered, so that no name on the
            internet can lead a page in a browser here (DNS rebinding).
    """

    pages: ASGIApp
    api: ASGIApp
    login: SecretStr
    loopback_only: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            # The server's own messages about its life; there are no web sockets.
            await self.pages(scope, receive, send)
            return
        send = _with_headers(send)
        headers = Headers(scope=scope)
        if self.loopback_only and _host(headers.get("host", "")) not in _LOOPBACK:
            await _refuse(HTTPStatus.MISDIRECTED_REQUEST, _WRONG_HOST)(scope, receive, send)
            return
        body = await _body(headers, receive)
        if body is None:
            await problem(_LARGE, "request:too-large", _TOO_LARGE)(scope, receive, send)
            return
        app = self.api if _is_for_api(scope, headers) else self._pages(scope, headers)
        await app(scope, _replay(body, receive), send)

    def _pages(self, scope: Scope, headers: Headers) -> ASGIApp:
        if _is_open(scope["path"]) or has_login(headers.get("authorization", ""), self.login):
            return self.pages
        return _refuse(HTTPStatus.UNAUTHORIZED, _NO_LOGIN, {"WWW-Authenticate": CHALLENGE})


# The container's health check has no password, and learns nothing.
_OPEN = frozenset({"/health"})
# Nor has a report in its sandbox; it shows its run's frames by a ticket.
_TICKETED = re.compile(r"/runs/([^/]+)/report/([^/]+)/frames/[^/]+")
_NO_LOGIN = "Give the user and the password of WEB_BASIC_AUTH; the HTTP API wants a bearer token."
_WRONG_HOST = "This server answers to 127.0.0.1 and localhost only. Open it by one of these names."
_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_TOO_LARGE = f"A request may have at most {MAX_BODY_BYTES} bytes."


def _is_open(path: str) -> bool:
    ticketed = _TICKETED.fullmatch(path)
    return path in _OPEN or bool(ticketed and has_ticket(*ticketed.groups(), now=time.time()))


def _is_for_api(scope: Scope, headers: Headers) -> bool:
    is_token = headers.get("authorization", "").lower().startswith("bearer ")
    return is_token or scope["method"] not in READING


def _host(header: str) -> str:
    """Returns the host of a Host header, without its port."""
    host, colon, port = header.lower().rpartition(":")
    return host if colon and port.isdigit() else header.lower()


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """Returns the whole body, or None if it is too large."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        return None
    body, more = b"", True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= MAX_BODY_BYTES else None


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded


def _refuse(
    status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None
) -> PlainTextResponse:
    return PlainTextResponse(f"{sentence}\n", status_code=status, headers=headers)
