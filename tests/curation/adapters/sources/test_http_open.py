"""Links: how a body is read, and what becomes of one that does not come to its end."""

from __future__ import annotations

import traceback

import pytest

from curation.adapters.sources.http import MAX_CONNECTIONS, HttpFiles
from curation.errors import RequestError, TransientError
from tests.support.clips import clip_of
from tests.support.file_server import FileServer, ServedFile
from tests.support.reading import fetch

CLIP = clip_of(1_000_000)


def test_open__reads_what_is_on_the_wire(files: HttpFiles, server: FileServer) -> None:
    """Nothing is decoded and no cookie, login or referrer is sent."""
    video = files.look(server.put("/clip.mp4", ServedFile(CLIP)))

    fetch(files, video)

    sent = set(server.requests[-1][1])
    assert sent == {"host", "user-agent", "accept-encoding"}


def test_open__too_large_without_a_length__is_stopped(files: HttpFiles, server: FileServer) -> None:
    """A body without end is read up to the limit and no further."""
    file = ServedFile(CLIP, has_length=False, has_ranges=False, is_endless=True)
    video = files.look(server.put("/clip.mp4", file))

    with pytest.raises(RequestError, match="MAX_VIDEO_BYTES is 3,000,000") as caught:
        fetch(files, video)

    assert caught.value.code == "source:too-large"


def test_open__empty_without_a_length__is_refused(files: HttpFiles, server: FileServer) -> None:
    """An empty body is an error even if no length announces it."""
    video = files.look(server.put("/clip.mp4", ServedFile(has_length=False)))

    with pytest.raises(RequestError, match="is empty"):
        fetch(files, video)


def test_open__cut__goes_on_where_it_was(files: HttpFiles, server: FileServer) -> None:
    """A cut connection is taken up again with a range of the same content."""
    video = files.look(server.put("/clip.mp4", ServedFile(CLIP, cuts=[300_000, 200_000])))

    assert fetch(files, video) == CLIP
    assert server.ranges() == ["bytes=0-0", None, "bytes=300000-", "bytes=500000-"]
    assert server.requests[-1][1]["if-range"] == '"one"'


def test_open__ends_early_without_a_length__goes_on_where_it_was(
    files: HttpFiles, server: FileServer
) -> None:
    """A body whose own length is not told is held against that of the first look."""
    file = ServedFile(CLIP, has_length=False, cuts=[300_000])
    video = files.look(server.put("/clip.mp4", file))

    assert fetch(files, video) == CLIP
    assert server.ranges() == ["bytes=0-0", None, "bytes=300000-"]


def test_open__stalled__goes_on_where_it_was(files: HttpFiles, server: FileServer) -> None:
    """A connection on which nothing comes any more is taken up again like one that is cut."""
    file = ServedFile(CLIP, stalls_after=400_000)
    video = files.look(server.put("/clip.mp4", file))

    with files.open(video, offset=0) as chunks:
        begin = next(chunks)
        file.stalls_after = None
        rest = b"".join(chunks)

    assert begin + rest == CLIP


def test_open__cut_and_changed__is_refused(files: HttpFiles, server: FileServer) -> None:
    """After a cut the rest of another content is not appended."""
    file = ServedFile(CLIP, cuts=[300_000])
    video = files.look(server.put("/clip.mp4", file))

    with files.open(video, offset=0) as chunks:
        next(chunks)
        file.etag = '"two"'
        with pytest.raises(RequestError, match="changed while it was being read"):
            list(chunks)


def test_open__cut_again_and_again__tells_how_far_it_came(
    files: HttpFiles, server: FileServer
) -> None:
    """A host that cuts every connection is given up, and the error counts the bytes."""
    file = ServedFile(CLIP, cuts=[1_000] * MAX_CONNECTIONS)
    video = files.look(server.put("/clip.mp4", file))

    with pytest.raises(TransientError, match=r"ended after 20,000 of 1,000,000 bytes") as caught:
        fetch(files, video)

    assert caught.value.code == "source:short"


def test_open__nothing_more_comes__is_given_up_at_once(
    files: HttpFiles, server: FileServer
) -> None:
    """A connection that brought nothing new is the last one."""
    video = files.look(server.put("/clip.mp4", ServedFile(CLIP, cuts=[1_000, 0, 0])))

    with pytest.raises(TransientError, match=r"ended after 1,000 of 1,000,000 bytes"):
        fetch(files, video)


@pytest.mark.parametrize(
    "file",
    [
        ServedFile(CLIP, has_ranges=False, declared_bytes=1_500_000),
        ServedFile(CLIP, has_ranges=False, stalls_after=1_000_000, declared_bytes=1_500_000),
    ],
)
def test_open__short_without_ranges__is_given_up_at_once(
    files: HttpFiles, server: FileServer, file: ServedFile
) -> None:
    """A short body that cannot be taken up again is never taken for the whole."""
    video = files.look(server.put("/clip.mp4", file))

    with pytest.raises(TransientError, match=r"after 1,000,000 of 1,500,000 bytes"):
        fetch(files, video)


def test_open__drips__is_given_up_in_time(server: FileServer) -> None:
    """The whole reading has a time-out, so that a body cannot be sent byte by byte."""
    files = HttpFiles(max_bytes=3_000_000_000, allowed_hosts=[server.host], total_timeout_s=0.05)
    file = ServedFile(CLIP, has_length=False, has_ranges=False, is_endless=True)
    video = files.look(server.put("/clip.mp4", file))

    with pytest.raises(TransientError, match="time-out"):
        fetch(files, video)


@pytest.mark.parametrize(
    "content_range", ["bytes 5-999999/1000000", "bytes 7-999999/999999", "bytes */1000000", "x"]
)
def test_open__another_range_than_asked_for__is_refused(
    files: HttpFiles, server: FileServer, content_range: str
) -> None:
    """The bytes of another place are never taken for those asked for."""
    file = ServedFile(CLIP)
    video = files.look(server.put("/clip.mp4", file))
    file.headers = {"Content-Range": content_range}

    with pytest.raises((TransientError, RequestError)) as caught:
        fetch(files, video, offset=7)

    assert caught.value.code in ("source:range", "source:changed")


def test_open__range_ignored__is_tried_again(files: HttpFiles, server: FileServer) -> None:
    """A host that sends the whole file for a range may do better next time."""
    file = ServedFile(CLIP)
    video = files.look(server.put("/clip.mp4", file))
    file.has_ranges = False

    with pytest.raises(TransientError, match="answered 200 with others"):
        fetch(files, video, offset=7)


@pytest.mark.parametrize(
    "file",
    [
        ServedFile(status=404),
        ServedFile(status=503),
        ServedFile(b"x", headers={"Content-Type": "text/html"}),
        ServedFile(b"x", headers={"Content-Encoding": "gzip"}),
        ServedFile(b"x", has_ranges=False, declared_bytes=4_000_000),
        ServedFile(status=302, headers={"Location": "https://10.0.0.1/?token=c4n4ry"}),
        ServedFile(CLIP, cuts=[10, 0], has_ranges=False),
        ServedFile(CLIP, stalls_after=10, has_ranges=False),
    ],
)
def test_errors__hold_no_secret(files: HttpFiles, server: FileServer, file: ServedFile) -> None:
    """Neither the error nor what it was caused by shows user info or a signature."""
    server.put("/clip.mp4", file)
    url = f"http://me:c4n4ry@{server.host}/clip.mp4?X-Amz-Signature=c4n4ry"

    with pytest.raises((RequestError, TransientError)) as caught:
        fetch(files, files.look(url))

    assert "c4n4ry" not in shown(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://me:c4n4ry@h:99999/a", "https://h:x/?token=c4n4ry", "https://[c4n4ry?sig=c4n4ry"],
)
def test_errors__of_unreadable_links__hold_no_secret(files: HttpFiles, url: str) -> None:
    """A link that cannot be read is not printed as a whole either."""
    with pytest.raises(RequestError) as caught:
        files.look(url)

    assert "c4n4ry" not in shown(caught.value)


def shown(error: BaseException) -> str:
    """Returns the error as a log shows it, with all that it was caused by."""
    return "".join(traceback.format_exception(error))
