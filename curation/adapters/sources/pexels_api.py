"""The Pexels API: asks for pages of videos, and judges the answers.

The key is a header of requests to the host of `PEXELS_API_URL`, and of no others: redirects are not
followed, and files are fetched by `HttpFiles`, which does not know the key.
"""

from __future__ import annotations

import time
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError
from urllib3.exceptions import HTTPError

from curation.adapters.retry_after import retry_after_s
from curation.adapters.sources import answers
from curation.adapters.sources.hop import REDIRECTS, Hop
from curation.errors import OperatorError, RequestError, TransientError
from curation.links import public_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests
    from pydantic import SecretStr

# The most that Pexels gives at a time (help.pexels.com).
PER_PAGE = 80
# Today's path of the videos, and the one before it, which Pexels calls deprecated.
_ROOTS = ("/v1/videos", "/videos")
# A page of 80 videos is below 1 MiB.
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PASSING = frozenset({408, 425, 429})
# A number below this one is no time since the epoch, so it is taken for seconds from now.
_FIRST_TIME = 1_000_000_000


class Rendition(BaseModel):
    """One file of a video; a playlist has no size, so each field may be missing.

    Attributes:
        link: Where the file is.
        file_type: MIME type.
        width: In pixels.
        height: In pixels.
    """

    link: str | None = None
    file_type: str | None = None
    width: int | None = None
    height: int | None = None


class PexelsVideo(BaseModel):
    """A video: its page on Pexels, and its files."""

    url: str = ""
    video_files: list[Rendition] = []


class Page(BaseModel):
    """A page of videos, and how many there are on all pages, if Pexels says so."""

    total_results: int | None = None
    videos: list[PexelsVideo]


class PexelsApi:
    """The two listings of videos.

    Args:
        url: `PEXELS_API_URL`. The operator has set it, so its host may be http and may be private.
        key: `PEXELS_API_KEY`.
        read_timeout_s: Seconds to wait for the next byte.
        total_timeout_s: Seconds that one answer may take.
        ca_bundle: File with the certificates to trust instead of the usual ones.
    """

    def __init__(
        self,
        url: str,
        key: SecretStr | None,
        *,
        read_timeout_s: float = 15.0,
        total_timeout_s: float = 30.0,
        ca_bundle: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._roots: tuple[str, ...] = _ROOTS
        self._total_timeout_s = total_timeout_s
        self._hop = Hop(
            [_host_of(url)],
            connect_timeout_s=10.0,
            read_timeout_s=read_timeout_s,
            ca_bundle=ca_bundle,
        )

    def page(self, listing: str, number: int, words: Mapping[str, str]) -> Page:
        """Asks for a page.

        Args:
            listing: `popular` or `search`.
            number: From 1.
            words: Further parameters.

        Raises:
            OperatorError: If the key is missing or refused, or PEXELS_API_URL leads nowhere.
            RequestError: If Pexels does not like the parameters.
            TransientError: If there is no usable answer now.
        """
        key = self._checked_key()
        query = urlencode({**words, "page": number, "per_page": PER_PAGE})
        for root in self._roots:
            page = self._ask(f"{self._url}{root}/{listing}?{query}", key)
            if page is not None:
                # The next page is asked for there first.
                self._roots = (root, *(other for other in _ROOTS if other != root))
                return page
        if number > 1:  # beyond the last one
            return Page(videos=[])
        raise OperatorError(
            f"PEXELS_API_URL: {public_url(self._url)} has neither "
            f"{' nor '.join(f'{root}/{listing}' for root in _ROOTS)} (404). Correct it, or leave "
            "it empty for Pexels itself.",
            code="config:pexels",
        )

    def _checked_key(self) -> str:
        key = self._key.get_secret_value().strip() if self._key else ""
        if not key:
            raise OperatorError(
                "PEXELS_API_KEY is not set, and pexels: sources need it. Get a key at "
                "https://www.pexels.com/api/ and set it in the environment or in .env.",
                code="config:pexels",
            )
        if not (key.isascii() and key.isprintable()):
            raise OperatorError(
                "PEXELS_API_KEY has characters that no key has. Copy it again.",
                code="config:pexels",
            )
        return key

    def _ask(self, url: str, key: str) -> Page | None:
        """Returns a page, or None if there is no such path."""
        try:
            response = self._hop.ask(url, {"Authorization": key})
        except RequestError as error:
            raise OperatorError(
                f"PEXELS_API_URL cannot be used. {error.message}", code=error.code
            ) from error
        with closing(response), closing(response.connection):
            if response.status_code == HTTPStatus.NOT_FOUND:
                return None
            _check_status(response, public_url(url))
            return _parse(response, self._read(response, public_url(url)), public_url(url))

    def _read(self, response: requests.Response, place: str) -> bytes:
        give_up_at = time.monotonic() + self._total_timeout_s
        body = bytearray()
        try:
            while data := response.raw.read1(_CHUNK_BYTES, decode_content=False):
                body += data
                if len(body) > _MAX_ANSWER_BYTES or time.monotonic() > give_up_at:
                    raise _unreadable(place, f"{len(body):,} bytes and no end")
        except HTTPError as error:
            raise _unreadable(place, f"{len(body):,} bytes, then {answers.reason(error)}") from None
        return bytes(body)


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.netloc if parts.hostname and parts.port != 0 else ""
    except ValueError:
        host = ""
    if not host or "@" in host or parts.scheme not in ("http", "https"):
        raise OperatorError(
            f"PEXELS_API_URL: {public_url(url)!r} is not usable. Use https://host, or leave it "
            "empty for Pexels itself.",
            code="config:pexels",
        )
    return host


def _check_status(response: requests.Response, place: str) -> None:
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    if status in _REFUSED:
        raise OperatorError(
            f"Pexels refused the key ({status} for {place}). Set PEXELS_API_KEY to one that is "
            "listed at https://www.pexels.com/api/.",
            code="pexels:denied",
        )
    if status in REDIRECTS:
        raise OperatorError(
            f"{place} redirects to {public_url(answers.next_hop(place, response))}, where the key "
            "is not sent. Set PEXELS_API_URL to the API itself.",
            code="config:pexels",
        )
    message = f"Pexels answered {status} ({answers.phrase(status)}) for {place}."
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TransientError(message, code=f"pexels:http:{status}", retry_after_s=_wait_s(response))
    raise RequestError(f"{message} Check the source's words.", code=f"pexels:http:{status}")


def _wait_s(response: requests.Response) -> float | None:
    """Returns the seconds that Pexels wants to be left alone."""
    asked_s = retry_after_s(response.headers.get("Retry-After", ""))
    reset = response.headers.get("X-Ratelimit-Reset", "").strip()
    if asked_s is not None or not reset.isdecimal():
        return asked_s
    moment = float(reset)
    return moment if moment < _FIRST_TIME else max(0.0, moment - time.time())


def _parse(response: requests.Response, body: bytes, place: str) -> Page:
    try:
        return Page.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        found = f"{answers.content_type(response)}, {len(body):,} bytes; {where}: {first['msg']}"
    # Outside the handler, whose error quotes the answer.
    raise _unreadable(place, found)


def _unreadable(place: str, found: str) -> TransientError:
    return TransientError(
        f"{place} answered no list of videos: {found}. If that stays, check PEXELS_API_URL.",
        code="pexels:unreadable",
    )
