"""Judges the answers of a host of video files."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from curation.adapters.retry_after import retry_after_s
from curation.errors import RequestError, TransientError
from curation.links import public_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.ports import SourceVideo

_CONTENT_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<total>\d+)")
# What a host sends in place of a video: error pages, log-in pages, API errors, listings.
_NO_VIDEO = re.compile(r"^text/|[/+](html|json|xml)\b")
_PASSING = frozenset({408, 425, 429})


def prepare(url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """Returns a GET request, without cookies and without credentials from files.

    Raises:
        RequestError: If the link cannot be read.
    """
    try:
        request = requests.Request("GET", url, headers=dict(headers)).prepare()
    except (requests.RequestException, ValueError):
        # Chained or quoted, the library's error would print the whole link, secrets included.
        raise RequestError(
            f"{public_url(url)!r} is not a link that can be read. Use https://host/path.",
            code="source:bad-link",
        ) from None
    # The connection goes to an address, but the host is to be asked by its name.
    request.headers["Host"] = str(request.url).split("/")[2].rpartition("@")[2]
    return request


def next_hop(url: str, response: requests.Response) -> str:
    """Returns where a redirect leads.

    Raises:
        RequestError: If that cannot be read.
    """
    # http.client takes headers for Latin-1; those that are not ASCII are UTF-8 nowadays.
    location = response.headers.get("Location", "").encode("latin-1").decode(errors="replace")
    try:
        return urljoin(url, location)
    except ValueError:
        raise RequestError(
            f"{public_url(url)} redirects to what is no link. Use the link of the file itself.",
            code="source:bad-link",
        ) from None


def range_headers(video: SourceVideo, offset: int) -> dict[str, str]:
    """Returns the headers that ask for everything from `offset` on, if it is still the same."""
    if not offset:
        return {}
    headers = {"Range": f"bytes={offset}-"}
    # A weak ETag is not allowed in If-Range (RFC 9110, 13.1.5); then `check_same` is the guard.
    if video.validator and not video.validator.startswith("W/"):
        headers["If-Range"] = video.validator
    return headers


def content_type(response: requests.Response) -> str | None:
    """Returns the MIME type without parameters, or None."""
    text = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return text or None


def validator(response: requests.Response) -> str | None:
    """Returns what changes when the content changes: ETag or Last-Modified, or None."""
    return response.headers.get("ETag") or response.headers.get("Last-Modified")


def total_bytes(response: requests.Response) -> int | None:
    """Returns the length of the whole file in bytes, or None if the host does not say."""
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return 0  # there is no first byte
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        return _range_of(response)[1]
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def check_status(response: requests.Response, place: str) -> None:
    """Lets 200, 206 and 416 pass.

    Raises:
        RequestError: If the host says that the file cannot be had.
        TransientError: If it says that it may be had later.
    """
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return
    message = f"{place} answered {status} ({phrase(status)})"
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TransientError(
            f"{message}. The host is busy or broken.",
            code=f"source:http:{status}",
            retry_after_s=retry_after_s(response.headers.get("Retry-After", "")),
        )
    raise RequestError(
        f"{message}. Check the link; a signed one may be over.", code=f"source:http:{status}"
    )


def check_kind(response: requests.Response, place: str) -> None:
    """Refuses what is certainly no plain video file.

    Raises:
        RequestError: If it is a page, or compressed on the way.
    """
    kind = content_type(response) or ""
    if _NO_VIDEO.search(kind):
        raise RequestError(
            f"{place} is {kind}, not a video. Use the link of the file itself.",
            code="source:no-video",
        )
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError(
            f"{place} is sent compressed ({encoding}), although that was not asked for. "
            "Use a link to the plain file.",
            code="source:encoded",
        )


def check_size(size_bytes: int | None, max_bytes: int, place: str) -> None:
    """Refuses a length of nothing and a length beyond the limit.

    Raises:
        RequestError: If it is one of the two.
    """
    if size_bytes == 0:
        raise RequestError(f"{place} is empty. Check the file.", code="source:empty")
    if size_bytes is not None and size_bytes > max_bytes:
        raise RequestError(
            f"{place} has {size_bytes:,} bytes or more, and MAX_VIDEO_BYTES is {max_bytes:,}. "
            "Raise it, or use a smaller video.",
            code="source:too-large",
        )


def check_position(position: int, video: SourceVideo, max_bytes: int) -> None:
    """Checks how far a body has come.

    Raises:
        RequestError: If it is longer than allowed or than promised.
    """
    check_size(position, max_bytes, video.public_url)
    if video.size_bytes is not None and position > video.size_bytes:
        raise _changed(video)


def check_same(response: requests.Response, video: SourceVideo, *, offset: int) -> None:
    """Checks that the answer continues the very file that was looked at.

    Raises:
        RequestError: If the file has changed.
        TransientError: If the host does not give the range this time.
    """
    found = validator(response)
    is_other = found is not None and video.validator is not None and found != video.validator
    if is_other or (video.size_bytes and total_bytes(response) not in (None, video.size_bytes)):
        raise _changed(video)
    if offset and _range_of(response)[0] != offset:
        raise TransientError(
            f"{video.public_url} was asked for its bytes from {offset:,} on and answered "
            f"{response.status_code} with others.",
            code="source:range",
        )


def cut(video: SourceVideo, position: int, why: str) -> TransientError:
    """Returns the error for a body that did not come to its end."""
    total = "an unknown number of" if video.size_bytes is None else f"{video.size_bytes:,}"
    return TransientError(
        f"{video.public_url} ended after {position:,} of {total} bytes: {why}.",
        code="source:short",
    )


def reason(error: HTTPError) -> str:
    """Returns why a body ended, without the library's text, which may hold the link."""
    if isinstance(error, ReadTimeoutError):
        return "no byte came any more"
    return "the connection was cut"


def unreachable(url: str, error: Exception | None) -> RequestError | TransientError:
    """Returns the error for a host that gave no answer at all."""
    place = public_url(url)
    if isinstance(error, requests.exceptions.SSLError):
        return RequestError(
            f"{place}: the host's certificate is not trusted. Check the link.", code="source:tls"
        )
    why = "does not answer"
    if isinstance(error, requests.ConnectTimeout):
        why = "does not accept the connection in time"
    return TransientError(f"{place} {why}.", code="source:unreachable")


def phrase(status: int) -> str:
    """Returns what an HTTP status means."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def _changed(video: SourceVideo) -> RequestError:
    return RequestError(
        f"{video.public_url} changed while it was being read. Start a new run.",
        code="source:changed",
    )


def _range_of(response: requests.Response) -> tuple[int | None, int | None]:
    """Returns first byte and length of the whole from `Content-Range`, each None if not said."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None or response.status_code != HTTPStatus.PARTIAL_CONTENT:
        return None, None
    return int(match["start"] or 0), int(match["total"])
