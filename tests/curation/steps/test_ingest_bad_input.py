"""Whatever a source sends in place of a video: an error to act on, and nothing left over."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpFiles, HttpSource
from curation.errors import RequestError, TransientError
from tests.support.clips import clip_of, small_clip
from tests.support.file_server import FileServer, ServedFile
from tests.support.ingest_bench import Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.ingest_bench import Bench

MIB = 1024 * 1024
MAX_BYTES = 12 * MIB
CLIP = clip_of(10 * MIB)
PAGE = b"<!doctype html><html><body>Please log in</body></html>"


def sound_only() -> bytes:
    """Returns an MP4 with sound and no picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for begin in range(0, 8192, 1024):
            samples = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


class Stumbling(io.BytesIO):
    """Gives the head of the object and then no more."""

    def read(self, _size: int | None = -1, /) -> bytes:
        """Reads, but not from the middle."""
        if self.tell():
            raise TransientError("S3 is away")
        return super().read(4096)


class StumblingObjects(Interrupted):
    """Objects that cannot be read to their end."""

    def open(self, _uri: str) -> Stumbling:
        """Opens the object."""
        return Stumbling(CLIP)


# What lies behind a link, the code of the error, and the words that say why.
LINKS = {
    "not found": (ServedFile(status=404), "source:http:404", "404"),
    "gone": (ServedFile(status=410), "source:http:410", "410"),
    "refused": (ServedFile(status=403), "source:http:403", "403"),
    "page": (
        ServedFile(PAGE, headers={"Content-Type": "text/html"}),
        "source:no-video",
        "text/html",
    ),
    "page called a video": (ServedFile(PAGE), "source:no-video", "HTML page"),
    "empty": (ServedFile(b""), "source:empty", "is empty"),
    "empty without a length": (
        ServedFile(b"", has_length=False, has_ranges=False),
        "source:empty",
        "is empty",
    ),
    "too large": (ServedFile(bytes(MAX_BYTES + 1)), "source:too-large", "MAX_VIDEO_BYTES"),
    "endless": (
        ServedFile(CLIP, has_length=False, has_ranges=False, is_endless=True),
        "source:too-large",
        "MAX_VIDEO_BYTES",
    ),
    "compressed": (
        ServedFile(gzip.compress(PAGE), headers={"Content-Encoding": "gzip"}),
        "source:encoded",
        "gzip",
    ),
    "redirect to a private address": (
        ServedFile(status=302, headers={"Location": "https://169.254.169.254/latest"}),
        "source:private-address",
        "not public",
    ),
    "playlist": (ServedFile(b"#EXTM3U\n/etc/passwd\n"), "source:no-video", "HLS playlist"),
    "cut in the middle of the file": (
        ServedFile(small_clip()[:2000]),
        "source:undecodable",
        "",
    ),
    "damaged": (ServedFile(CLIP[:1000] + bytes(9 * MIB)), "source:undecodable", ""),
    "sound only": (ServedFile(sound_only()), "source:no-video-stream", ""),
}


@pytest.mark.parametrize("case", LINKS)
def test_link__bad(bench: Bench, server: FileServer, case: str) -> None:
    """The error names the link and the reason, and the bucket is as it was before."""
    file, code, words = LINKS[case]
    url = server.put("/my.mp4", file)
    source = HttpSource(url, HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[server.host]))

    with pytest.raises(RequestError) as caught:
        bench.ingest(source)

    assert caught.value.code == code
    assert words in caught.value.message
    assert url in caught.value.message or "169.254.169.254" in caught.value.message
    assert bench.is_clean()


FILES = {
    "page": (PAGE, "source:no-video", "HTML page"),
    "text": (b"Dear reader", "source:no-video", "text"),
    "empty": (b"", "source:empty", "is empty"),
    "too large": (bytes(MAX_BYTES + 1), "source:too-large", "MAX_VIDEO_BYTES"),
    "damaged": (CLIP[:1000] + bytes(9 * MIB), "source:undecodable", ""),
    "sound only": (sound_only(), "source:no-video-stream", ""),
}


@pytest.mark.parametrize("case", FILES)
def test_file__bad(bench: Bench, tmp_path: Path, case: str) -> None:
    """The error names the path and the reason, and the bucket is as it was before."""
    content, code, words = FILES[case]
    path = tmp_path / "my.mp4"
    path.write_bytes(content)

    with pytest.raises(RequestError) as caught:
        bench.ingest(FolderSource(str(path), max_bytes=MAX_BYTES))

    assert caught.value.code == code
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert bench.is_clean()


@pytest.mark.parametrize(
    "file",
    [
        ServedFile(CLIP, cuts=[9 * MIB, 0, 0]),
        ServedFile(CLIP, has_ranges=False, cuts=[9 * MIB, 9 * MIB]),
        ServedFile(CLIP[: 9 * MIB], has_ranges=False, declared_bytes=10 * MIB),
    ],
)
def test_link__always_short__keeps_what_came_until_it_is_cleared(
    bench: Bench, server: FileServer, file: ServedFile
) -> None:
    """A body that ends too early each time is tried again by the task, and counts its bytes."""
    url = server.put("/my.mp4", file)
    source = HttpSource(url, HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[server.host]))

    with pytest.raises(TransientError, match="9,437,184 of 10,485,760 bytes") as caught:
        bench.ingest(source)

    assert caught.value.code == "source:short"
    assert url in caught.value.message
    assert bench.keys() == []
    bench.clear()
    assert bench.is_clean()


def test_link__changes_between_two_slices__is_refused(bench: Bench, server: FileServer) -> None:
    """Parts of two contents never become one object."""
    file = ServedFile(CLIP, cuts=[9 * MIB, 0])
    url = server.put("/my.mp4", file)
    source = HttpSource(url, HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[server.host]))
    with pytest.raises(TransientError):
        bench.ingest(source)

    server.put("/my.mp4", ServedFile(CLIP[::-1], etag='"two"'))
    with pytest.raises(RequestError, match="changed while it was being read"):
        bench.ingest(source)

    assert bench.is_clean()


def test_link__too_slow_without_ranges__names_what_came(bench: Bench, server: FileServer) -> None:
    """What cannot be taken up again must come within one slice; the error says how much did."""
    url = server.put("/my.mp4", ServedFile(CLIP, has_ranges=False))
    source = HttpSource(url, HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[server.host]))

    with pytest.raises(RequestError, match="only 8,388,608 bytes did") as caught:
        replace(bench, budget=lambda: False).ingest(source)

    assert caught.value.code == "source:no-ranges"
    assert url in caught.value.message
    assert bench.is_clean()


def test_storage_that_stumbles__is_no_fault_of_the_video(bench: Bench, tmp_path: Path) -> None:
    """When S3 is away while the first frame is decoded, the run is not failed for its video."""
    path = tmp_path / "my.mp4"
    path.write_bytes(CLIP)
    stumbling = StumblingObjects(bench.objects, "open", lambda: None)

    with pytest.raises(TransientError, match="S3 is away"):
        replace(bench, objects=stumbling).ingest(FolderSource(str(path), max_bytes=MAX_BYTES))
