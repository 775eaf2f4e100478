"""Video source `https://…`: one link, followed by hand and read as it is on the wire."""

from __future__ import annotations

import posixpath
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from curation.adapters.sources import answers
from curation.adapters.sources.hop import REDIRECTS, Hop
from curation.errors import RequestError, TransientError
from curation.links import public_url
from curation.ports import SourceVideo

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

MAX_REDIRECTS = 5
# Connections that one reading of a video may take; each of them must bring something new. The
# ledger knows whole parts only, so a host that cuts early must get through one in a single reading.
MAX_CONNECTIONS = 20
_CHUNK_BYTES = 256 * 1024


class HttpFiles:
    """Reads video files behind links.

    Args:
        max_bytes: Largest video taken, in bytes.
        allowed_hosts: `host` or `host:port` of hosts that may be http and may be private.
        connect_timeout_s: Seconds to wait for a connection.
        read_timeout_s: Seconds to wait for the next byte.
        total_timeout_s: Seconds that one reading may take, however often it is taken up again.
        ca_bundle: File with the certificates to trust instead of the usual ones.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        allowed_hosts: Iterable[str] = (),
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 30.0,
        total_timeout_s: float = 600.0,
        ca_bundle: str | None = None,
    ) -> None:
        self._hop = Hop(
            allowed_hosts,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            ca_bundle=ca_bundle,
        )
        self._max_bytes = max_bytes
        self._total_timeout_s = total_timeout_s

    def look(self, url: str) -> SourceVideo:
        """Asks for the first byte, which shows what the file is and whether ranges work.

        Raises:
            RequestError: If the link leads nowhere it may, or to what is no video.
            TransientError: If the host cannot be reached or is busy.
        """
        # Not HEAD: many hosts refuse it, and signed links are often valid for GET alone.
        with self._get(url, {"Range": "bytes=0-0"}) as response:
            place = public_url(url)
            answers.check_status(response, place)
            size_bytes = answers.total_bytes(response)
            answers.check_size(size_bytes, self._max_bytes, place)
            answers.check_kind(response, place)
            validator = answers.validator(response)
            is_part = response.status_code == requests.codes.partial_content
            return SourceVideo(
                url=url,
                public_url=place,
                name=_name(url, response.url),
                size_bytes=size_bytes,
                content_type=answers.content_type(response),
                validator=validator,
                resumable=is_part and size_bytes is not None and validator is not None,
            )

    @contextmanager
    def open(self, video: SourceVideo, *, offset: int) -> Iterator[Iterator[bytes]]:
        """Opens the file from `offset`, as chunks of up to 256 KiB.

        Raises:
            RequestError: If it is gone, is no video, is too large or has changed.
            TransientError: If the connection fails, or was cut again and again.
        """
        with closing(self._chunks(video, offset)) as chunks:
            yield chunks

    def _chunks(self, video: SourceVideo, offset: int) -> Generator[bytes]:
        give_up_at = time.monotonic() + self._total_timeout_s
        reading = _Reading(video, self._max_bytes, give_up_at, position=offset)
        for _ in range(MAX_CONNECTIONS):
            begun_at = reading.position
            why = yield from self._connection(reading)
            if not why:
                return
            if not video.resumable or reading.position == begun_at:
                break
        raise answers.cut(video, reading.position, why)

    def _connection(self, reading: _Reading) -> Generator[bytes, None, str]:
        """Yields what one connection brings; returns why it ended too early, or nothing."""
        video, offset = reading.video, reading.position
        try:
            with self._get(video.url, answers.range_headers(video, offset)) as response:
                answers.check_status(response, video.public_url)
                answers.check_same(response, video, offset=offset)
                answers.check_kind(response, video.public_url)
                # What is on the wire, undecoded. `read1` returns what has come instead of waiting
                # for a full chunk, so that a body that drips is seen to take too long.
                while data := response.raw.read1(_CHUNK_BYTES, decode_content=False):
                    reading.count(data)
                    yield data
        except HTTPError as error:
            return answers.reason(error)
        return reading.missing()

    @contextmanager
    def _get(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """Follows redirects by hand, each hop checked; yields the answer that is none."""
        hop = url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask_hop(url, hop, headers)
            with closing(response), closing(response.connection):
                if response.status_code not in REDIRECTS:
                    yield response
                    return
                hop = answers.next_hop(hop, response)
        raise RequestError(
            f"{public_url(url)} redirects more than {MAX_REDIRECTS} times. Use the link that it "
            "ends at.",
            code="source:redirects",
        )

    def _ask_hop(self, url: str, hop: str, headers: Mapping[str, str]) -> requests.Response:
        """Sends one request; an error on the way names the link that led there."""
        try:
            return self._hop.ask(hop, headers)
        except (RequestError, TransientError) as error:
            if hop == url:
                raise
            message = f"{public_url(url)} redirects elsewhere: {error.message}"
            raise type(error)(message, error.code) from error


@dataclass
class _Reading:
    """How far one reading of a video has come.

    Attributes:
        video: The video.
        max_bytes: Largest video taken, in bytes.
        give_up_at: Monotonic time at which it has taken too long, in seconds.
        position: Bytes from the beginning of the file.
    """

    video: SourceVideo
    max_bytes: int
    give_up_at: float
    position: int

    def count(self, data: bytes) -> None:
        """Counts what has come."""
        self.position += len(data)
        answers.check_position(self.position, self.video, self.max_bytes)
        if time.monotonic() > self.give_up_at:
            raise answers.cut(self.video, self.position, "the total time-out is over")

    def missing(self) -> str:
        """Returns what is wrong with an end at this position, or nothing."""
        answers.check_size(self.position, self.max_bytes, self.video.public_url)
        is_short = self.position != (self.video.size_bytes or self.position)
        return "the body ended early" if is_short else ""


class HttpSource:
    """A link as a video source: one video, the same for every run that names it."""

    exclusive = False

    def __init__(self, url: str, files: HttpFiles) -> None:
        self._url = url
        self._files = files

    def candidates(self) -> Iterator[SourceVideo]:
        """Yields the video behind the link."""
        yield self._files.look(self._url)

    def open(self, video: SourceVideo, *, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """Opens the video's bytes from `offset`."""
        return self._files.open(video, offset=offset)


def _name(*urls: str) -> str:
    """Returns the first last path segment that has an extension, else the first one's."""
    names = [posixpath.basename(unquote(urlsplit(url).path)) for url in urls]
    return next((name for name in names if posixpath.splitext(name)[1]), names[0])
