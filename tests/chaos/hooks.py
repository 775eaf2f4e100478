"""The client's side of the wire: where time passes, and where processes die, freeze or lose Redis.

These are the only changes to libraries under test, and they concern time and death alone: requests
and commands go over real sockets.
"""

from __future__ import annotations

import functools
import http.client
from typing import TYPE_CHECKING, Any

import botocore.session
import redis.connection
import urllib3.connectionpool

from tests.chaos.clock import CLOCK
from tests.chaos.wire import HANG, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.wire import Ask


class Points:
    """What happens at each point where a process touches the world.

    Attributes:
        before: Called before a request is sent.
        after: Called after its answer has come.
        redis: Called before Redis commands are sent.
        n_redis: How often that was.
        latency_s: Draws the time that a request takes.
    """

    def __init__(self) -> None:
        self.before: Callable[[Ask], None] = lambda _: None
        self.after: Callable[[Ask], None] = lambda _: None
        self.redis: Callable[[], None] = lambda: None
        self.n_redis = 0
        self.latency_s: Callable[[], float] = lambda: 0.0


POINTS = Points()


def install() -> None:
    """Puts the points in place."""
    _install_requests()
    _install_answers()
    _install_redis()
    # A new process reads botocore's models of the services again, a fifth of a second for the same.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def _install_requests() -> None:
    send = urllib3.connectionpool.HTTPConnectionPool._make_request

    def make_request(
        self: Any,  # noqa: ANN401  # urllib3's own method
        conn: Any,  # noqa: ANN401  # the same
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401  # the same
        headers: Any = None,  # noqa: ANN401  # the same
        **options: Any,  # noqa: ANN401  # the same
    ) -> Any:  # noqa: ANN401  # the same
        CLOCK.check_alive()
        ask = parse(method, url, _lower(headers), _bytes(body))
        CLOCK.pause(POINTS.latency_s())
        POINTS.before(ask)
        CLOCK.check_alive()
        answer = send(self, conn, method, url, body=body, headers=headers, **options)
        CLOCK.pause(POINTS.latency_s())
        POINTS.after(ask)
        CLOCK.check_alive()
        return answer

    urllib3.connectionpool.HTTPConnectionPool._make_request = make_request  # type: ignore[assignment, method-assign]  # time and death


def _install_answers() -> None:
    receive = http.client.HTTPConnection.getresponse

    def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        patience_s = self.sock.gettimeout() or 0.0
        answer = receive(self)
        if answer.status == HANG:
            self.close()
            CLOCK.pause(patience_s)
            CLOCK.check_alive()
            raise TimeoutError("timed out")
        return answer

    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]  # time and death


def _install_redis() -> None:
    send = redis.connection.AbstractConnection.send_packed_command

    def send_packed_command(
        self: Any,  # noqa: ANN401  # redis-py's own method
        command: Any,  # noqa: ANN401  # the same
        check_health: bool = True,  # noqa: FBT001, FBT002  # the same
    ) -> Any:  # noqa: ANN401  # the same
        if CLOCK.active and CLOCK.active.is_me():
            CLOCK.check_alive()
            POINTS.n_redis += 1
            try:
                POINTS.redis()
            except redis.ConnectionError:
                self.disconnect()
                raise
            CLOCK.check_alive()
        return send(self, command, check_health)  # type: ignore[no-untyped-call]  # redis-py has no types here

    redis.connection.AbstractConnection.send_packed_command = send_packed_command  # type: ignore[method-assign]  # time and death


def _bytes(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    # Only what EC2 asks for stands in a body; a file or stream is an upload.
    return b""


def _lower(headers: Any) -> dict[str, str]:  # noqa: ANN401  # whatever urllib3 is given
    pairs = dict(headers or {}).items()
    return {_text(name).lower(): _text(value) for name, value in pairs}


def _text(part: object) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)
