"""One HTTP request to a stand-in, with nothing in between."""

from __future__ import annotations

import contextlib
import http.client
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0
_FIRST_ERROR = 400


class RefusedError(RuntimeError):
    """The stand-in refused; the message says what it said."""


def ask(method: str, url: str, data: bytes | None = None) -> bytes:
    """Sends a request, with JSON or a file in it, and returns the body of the answer.

    Raises:
        RefusedError: If the answer is an error.
        OSError: If there is no answer.
    """
    parts = urlsplit(url)
    # Not urllib: it would ask the user's proxy.
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    place = f"{parts.path}?{parts.query}" if parts.query else parts.path
    with contextlib.closing(connection):
        try:
            connection.request(method, place, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:  # it was cut short
            raise ConnectionError(str(error)) from None
    if answer.status >= _FIRST_ERROR:
        # Without the query, which may hold a token.
        message = f"{method} {parts.path} was refused ({answer.status}): {content.decode()}"
        raise RefusedError(message)
    return content
