"""What every video source promises, whatever it reads from."""

from __future__ import annotations

import functools
import json
import os
import random
from typing import TYPE_CHECKING, Protocol

import pytest
from pydantic import SecretStr

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpFiles, HttpSource
from curation.adapters.sources.pexels import PexelsSource
from curation.adapters.sources.pexels_api import PexelsApi
from curation.adapters.sources.s3 import S3Source
from curation.adapters.storage.s3 import S3Storage
from curation.errors import RequestError
from tests.support.clips import clip_of, small_clip
from tests.support.file_server import FileServer, ServedFile, file_server
from tests.support.reading import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from curation.ports import VideoSource

MAX_BYTES = 3_000_000


class Place(Protocol):
    """Where a test puts a video for a source to find it."""

    def put(self, content: bytes) -> VideoSource:
        """Puts the video there, in place of an earlier one, and returns a source that names it."""
        ...

    def remove(self) -> VideoSource:
        """Takes it away, and returns a source that names it all the same."""
        ...


class FilePlace:
    """A path."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clip one.mp4"
        self._writes = 0

    def put(self, content: bytes) -> VideoSource:
        """Writes the file."""
        self._writes += 1
        self._path.write_bytes(content)
        os.utime(self._path, ns=(0, self._writes))  # two writes may fall into one clock tick
        return FolderSource(str(self._path), max_bytes=MAX_BYTES)

    def remove(self) -> VideoSource:
        """Deletes the file."""
        self._path.unlink(missing_ok=True)
        return FolderSource(str(self._path), max_bytes=MAX_BYTES)


class FolderPlace(FilePlace):
    """A folder with one video in it."""

    def put(self, content: bytes) -> VideoSource:
        """Writes the file."""
        super().put(content)
        return FolderSource(self._path.parent.as_uri(), max_bytes=MAX_BYTES)


class LinkPlace:
    """A link."""

    def __init__(self, server: FileServer) -> None:
        self._server = server
        self._writes = 0

    def put(self, content: bytes) -> VideoSource:
        """Serves the file."""
        self._writes += 1
        self._server.put("/clip%20one.mp4", ServedFile(content, etag=f'"{self._writes}"'))
        return self._source()

    def remove(self) -> VideoSource:
        """Serves it no longer."""
        self._server.files.clear()
        return self._source()

    def _source(self) -> VideoSource:
        files = HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[self._server.host])
        return HttpSource(f"http://{self._server.host}/clip%20one.mp4", files)


class PexelsPlace(LinkPlace):
    """The only video that Pexels has."""

    def _source(self) -> VideoSource:
        api = f"http://{self._server.host}"
        rendition = {"file_type": "video/mp4", "width": 64, "height": 48}
        rendition["link"] = f"{api}/clip%20one.mp4"
        video = {"url": "https://www.pexels.com/video/clip%20one.mp4", "video_files": [rendition]}
        page = json.dumps({"total_results": 1, "videos": [video]}).encode()
        self._server.put("/v1/videos/popular", ServedFile(page))
        return PexelsSource(
            "pexels:popular",
            api=PexelsApi(api, SecretStr("key")),
            files=HttpFiles(max_bytes=MAX_BYTES, allowed_hosts=[self._server.host]),
            max_height=1080,
            dice=random.Random(0),
        )


class ObjectPlace:
    """An object in S3."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, content: bytes) -> VideoSource:
        """Puts the object."""
        self._s3.put_object(Bucket=self._bucket, Key="a/clip one.mp4", Body=content)
        return self._source()

    def remove(self) -> VideoSource:
        """Deletes the object."""
        self._s3.delete_object(Bucket=self._bucket, Key="a/clip one.mp4")
        return self._source()

    def _source(self, key: str = "a/clip one.mp4") -> VideoSource:
        contents = storage_at(self._s3.meta.endpoint_url).contents
        return S3Source(f"s3://{self._bucket}/{key}", contents, max_bytes=MAX_BYTES)


class PrefixPlace(ObjectPlace):
    """A prefix in S3 with one video below it."""

    def put(self, content: bytes) -> VideoSource:
        """Puts the object."""
        super().put(content)
        return self._source(key="a/")


@functools.cache  # building boto3's client takes longer than most tests
def storage_at(_endpoint: str) -> S3Storage:
    """Returns S3 at the server that boto3's variables lead to at its first call."""
    return S3Storage()


@pytest.fixture(params=["file", "folder", "link", "pexels", "object", "prefix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """One place for each video source."""
    if request.param in ("file", "folder"):
        yield {"file": FilePlace, "folder": FolderPlace}[request.param](tmp_path)
    elif request.param in ("link", "pexels"):
        with file_server() as server:
            yield {"link": LinkPlace, "pexels": PexelsPlace}[request.param](server)
    else:
        s3, bucket = request.getfixturevalue("s3_client"), request.getfixturevalue("bucket")
        yield {"object": ObjectPlace, "prefix": PrefixPlace}[request.param](s3, bucket)


def fetch_first(source: VideoSource) -> bytes:
    """Returns the bytes of the first video on offer."""
    return fetch(source, next(iter(source.candidates())))


def test_candidates__describe_the_video(place: Place) -> None:
    """Name, length, a place for people and a validator are known before any byte is fetched."""
    source = place.put(small_clip())

    [video] = source.candidates()

    assert video.name == "clip one.mp4"
    assert video.size_bytes == len(small_clip())
    assert video.public_url.endswith(("clip one.mp4", "clip%20one.mp4"))
    assert video.validator
    assert video.resumable


def test_open__yields_every_byte_in_small_chunks(place: Place) -> None:
    """The chunks together are the video, and none is larger than 1 MiB."""
    content = clip_of(2_500_000)
    source = place.put(content)
    [video] = source.candidates()

    with source.open(video, offset=0) as chunks:
        found = list(chunks)

    assert b"".join(found) == content
    assert max(map(len, found)) <= 1024 * 1024


@pytest.mark.parametrize("offset", [1, 1_500_000, 2_499_999])
def test_open__begins_at_an_offset(place: Place, offset: int) -> None:
    """A resumable video is read from any byte on."""
    content = clip_of(2_500_000)
    source = place.put(content)
    [video] = source.candidates()

    assert fetch(source, video, offset=offset) == content[offset:]


def test_open__may_be_left_early(place: Place) -> None:
    """Whoever has read enough leaves, and can open the video again."""
    content = clip_of(2_500_000)
    source = place.put(content)
    [video] = source.candidates()

    with source.open(video, offset=0) as chunks:
        first = next(chunks)

    assert content.startswith(first)
    assert fetch(source, video) == content


def test_candidates__missing__is_refused(place: Place) -> None:
    """What is not there is an error that names the place."""
    source = place.remove()

    with pytest.raises(RequestError, match=r"clip( |%20)one\.mp4") as caught:
        list(source.candidates())

    assert caught.value.code in ("source:not-found", "source:http:404")


def test_open__gone_since__is_refused(place: Place) -> None:
    """A video that went away after it was chosen is an error that names the place."""
    source = place.put(small_clip())
    [video] = source.candidates()
    place.remove()

    with pytest.raises(RequestError, match=r"clip( |%20)one\.mp4"):
        fetch(source, video)


def test_open__empty__is_refused(place: Place) -> None:
    """No video has no bytes."""
    source = place.put(b"")

    with pytest.raises(RequestError, match=r"clip( |%20)one\.mp4 is empty") as caught:
        fetch_first(source)

    assert caught.value.code == "source:empty"


def test_open__too_large__names_the_setting(place: Place) -> None:
    """A video above the limit is refused before its bytes are fetched."""
    source = place.put(bytes(MAX_BYTES + 1))

    with pytest.raises(RequestError, match="MAX_VIDEO_BYTES is 3,000,000") as caught:
        fetch_first(source)

    assert caught.value.code == "source:too-large"


@pytest.mark.parametrize("offset", [0, 1_000])
def test_open__changed_since__is_refused(place: Place, offset: int) -> None:
    """Bytes of two contents are never mixed, even if both have the same length."""
    source = place.put(small_clip())
    [video] = source.candidates()
    place.put(small_clip()[::-1])

    with pytest.raises(RequestError, match="changed while it was being read") as caught:
        fetch(source, video, offset=offset)

    assert caught.value.code == "source:changed"
