"""Links: what hosts answer, and what becomes of it."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.http import HttpFiles
from curation.errors import RequestError, TransientError
from tests.support.clips import clip_of, small_clip
from tests.support.file_server import FileServer, ServedFile, file_server
from tests.support.reading import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP = clip_of(1_000_000)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_look__refused_for_good(files: HttpFiles, server: FileServer, status: int) -> None:
    """A file that cannot be had is an error with the link and the status."""
    url = server.put("/clip.mp4", ServedFile(status=status))

    with pytest.raises(RequestError, match=rf"/clip\.mp4 answered {status} \(") as caught:
        files.look(url)

    assert caught.value.code == f"source:http:{status}"


@pytest.mark.parametrize("status", [408, 429, 500, 503, 599])
def test_look__refused_for_now(files: HttpFiles, server: FileServer, status: int) -> None:
    """A host that is busy or broken may be asked again, after the time that it names."""
    url = server.put("/clip.mp4", ServedFile(status=status, headers={"Retry-After": "7"}))

    with pytest.raises(TransientError, match=rf"/clip\.mp4 answered {status}") as caught:
        files.look(url)

    assert caught.value.code == f"source:http:{status}"
    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("say", "low", "high"),
    [
        # The time is asked for when the test runs: it may be minutes after it was collected.
        (lambda: formatdate(time.time() + 100, usegmt=True), 50.0, 100.0),
        (lambda: formatdate(0, usegmt=True), 0.0, 0.0),
        (lambda: "soon", None, None),
    ],
    ids=["future", "past", "nonsense"],
)
def test_look__retry_after_as_a_date(
    files: HttpFiles,
    server: FileServer,
    say: Callable[[], str],
    low: float | None,
    high: float | None,
) -> None:
    """`Retry-After` may be a date; one that is over means at once, nonsense means nothing."""
    url = server.put("/clip.mp4", ServedFile(status=503, headers={"Retry-After": say()}))

    with pytest.raises(TransientError) as caught:
        files.look(url)

    found = caught.value.retry_after_s
    assert found == low or (found is not None and low is not None and low <= found <= (high or 0))


@pytest.mark.parametrize(
    "kind",
    [
        "text/html; charset=utf-8",
        "TEXT/PLAIN",
        "application/json",
        "application/problem+json",
        "application/xhtml+xml",
        "application/xml",
    ],
)
def test_look__a_page__is_refused(files: HttpFiles, server: FileServer, kind: str) -> None:
    """A page or an API answer in place of the video is told by its type."""
    url = server.put("/clip.mp4", ServedFile(b"<html>", headers={"Content-Type": kind}))

    with pytest.raises(RequestError, match=r"/clip\.mp4 is .*not a video") as caught:
        files.look(url)

    assert caught.value.code == "source:no-video"


@pytest.mark.parametrize("kind", ["application/octet-stream", "binary/octet-stream", ""])
def test_look__an_unknown_kind__is_left_to_the_probe(
    files: HttpFiles, server: FileServer, kind: str
) -> None:
    """Many hosts do not know what a video is; its bytes will tell."""
    url = server.put("/clip.mp4", ServedFile(CLIP, headers={"Content-Type": kind}))

    assert files.look(url).content_type == (kind or None)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
def test_look__compressed__is_refused(files: HttpFiles, server: FileServer, encoding: str) -> None:
    """A compressed body, whose size is unknown, is neither asked for nor taken."""
    url = server.put("/clip.mp4", ServedFile(CLIP, headers={"Content-Encoding": encoding}))

    with pytest.raises(RequestError, match=f"compressed \\({encoding}\\)") as caught:
        files.look(url)

    assert caught.value.code == "source:encoded"
    assert server.requests[0][1]["accept-encoding"] == "identity"


def test_look__empty_answer_to_a_range__is_empty(files: HttpFiles, server: FileServer) -> None:
    """416 for the first byte means that there is none."""
    url = server.put("/clip.mp4", ServedFile(status=416))

    with pytest.raises(RequestError, match="is empty"):
        files.look(url)


@pytest.mark.parametrize(
    ("file", "size_bytes", "resumable"),
    [
        (ServedFile(CLIP), 1_000_000, True),
        (ServedFile(CLIP, etag=None, headers={"Last-Modified": formatdate(0)}), 1_000_000, True),
        (ServedFile(CLIP, etag='W/"weak"'), 1_000_000, True),
        (ServedFile(CLIP, etag=None), 1_000_000, False),
        (ServedFile(CLIP, has_ranges=False), 1_000_000, False),
        (ServedFile(CLIP, has_ranges=False, has_length=False), None, False),
        (ServedFile(CLIP, headers={"Content-Range": "bytes 0-0/*"}), None, False),
    ],
)
def test_look__tells_what_can_be_taken_up_again(
    files: HttpFiles,
    server: FileServer,
    file: ServedFile,
    size_bytes: int | None,
    resumable: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Ranges are used when they work, and only if a change of the content would be seen."""
    video = files.look(server.put("/clip.mp4", file))

    assert (video.size_bytes, video.resumable) == (size_bytes, resumable)
    assert fetch(files, video) == CLIP


@pytest.mark.parametrize(
    ("path", "ends_at", "name"),
    [
        ("/a/my%20clip.mp4?v=1", None, "my clip.mp4"),
        ("/download/12", "/files/clip.webm?sig=1", "clip.webm"),
        ("/clip.mp4", "/files/0001", "clip.mp4"),
        ("/download/12", "/files/34", "12"),
        ("/", None, ""),
    ],
)
def test_look__name(
    files: HttpFiles, server: FileServer, path: str, ends_at: str | None, name: str
) -> None:
    """The name is that of the link, or of the place that it redirects to if only that has one."""
    if ends_at:
        server.put(path, ServedFile(status=302, headers={"Location": ends_at}))
    server.put((ends_at or path).partition("?")[0], ServedFile(CLIP))

    assert files.look(f"http://{server.host}{path}").name == name


def test_look__too_large__is_refused_by_its_length(files: HttpFiles, server: FileServer) -> None:
    """A length above the limit is refused before the body."""
    file = ServedFile(small_clip(), has_ranges=False, declared_bytes=3_000_001)
    url = server.put("/clip.mp4", file)

    with pytest.raises(RequestError, match="has 3,000,001 bytes or more"):
        files.look(url)


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:{port}/secret",
        "https://127.0.0.1:{port}/secret",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]:{port}/secret",
        "https://2130706433:{port}/secret",
        "//127.1:{port}/secret",
        "file:///etc/passwd",
        "ftp://127.0.0.1/secret",
    ],
)
def test_look__redirect_to_a_private_place__is_refused(
    files: HttpFiles, server: FileServer, where: str
) -> None:
    """Each hop obeys the rules, so an exempted host cannot lead elsewhere."""
    with file_server() as other:
        location = where.format(port=other.port)
        url = server.put("/clip.mp4", ServedFile(status=302, headers={"Location": location}))

        with pytest.raises(RequestError) as caught:
            files.look(url)

        assert caught.value.code in ("source:private-address", "source:not-https")
        assert other.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_look__redirects__are_followed(files: HttpFiles, server: FileServer, status: int) -> None:
    """A chain of allowed hops leads to the file, and the first link stays its name."""
    for number in range(5):
        server.put(f"/{number}", ServedFile(status=status, headers={"Location": f"{number + 1}"}))
    server.put("/5", ServedFile(CLIP))
    url = f"http://{server.host}/0"

    video = files.look(url)

    assert video.url == url
    assert fetch(files, video) == CLIP


def test_look__redirect_in_other_letters__is_followed(files: HttpFiles, server: FileServer) -> None:
    """Hosts write their redirects in UTF-8, escaped or not."""
    location = "/\u52d5\u753b.mp4".encode().decode("latin-1")
    url = server.put("/clip", ServedFile(status=302, headers={"Location": location}))
    server.put("/%E5%8B%95%E7%94%BB.mp4", ServedFile(CLIP))

    assert files.look(url).name == "\u52d5\u753b.mp4"


@pytest.mark.parametrize("location", ["http://[half", "https://a b/", "https://host:99999/"])
def test_look__redirect_to_nonsense__is_refused(
    files: HttpFiles, server: FileServer, location: str
) -> None:
    """A redirect that cannot be read is an error of the link."""
    url = server.put("/clip.mp4", ServedFile(status=302, headers={"Location": location}))

    with pytest.raises(RequestError) as caught:
        files.look(url)

    assert caught.value.code == "source:bad-link"


def test_look__redirect_without_end__is_refused(files: HttpFiles, server: FileServer) -> None:
    """A chain that is too long, or a circle, is given up."""
    url = server.put("/clip.mp4", ServedFile(status=302, headers={"Location": "/clip.mp4"}))

    with pytest.raises(RequestError, match="redirects more than 5 times"):
        files.look(url)

    assert len(server.requests) == 6


@pytest.mark.parametrize("url", ["https://", "https://[::1", "https://a b/c", "http:///a", "https"])
def test_look__unreadable_link__is_refused(files: HttpFiles, url: str) -> None:
    """What is no link is said to be none."""
    with pytest.raises(RequestError):
        files.look(url)


def test_look__nobody_there__is_tried_again() -> None:
    """A host that does not accept connections may be back later."""
    with file_server() as gone:
        host = gone.host
    files = HttpFiles(max_bytes=1, allowed_hosts=[host])

    with pytest.raises(TransientError, match="does not answer") as caught:
        files.look(f"http://{host}/clip.mp4")

    assert caught.value.code == "source:unreachable"
