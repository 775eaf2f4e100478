"""Paths: which files count, and what becomes of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.errors import RequestError
from tests.support.clips import small_clip

MAX_BYTES = 1_000_000


def names(place: str) -> list[str]:
    """Returns the names of the videos on offer."""
    return [video.name for video in FolderSource(place, max_bytes=MAX_BYTES).candidates()]


def test_candidates__of_a_folder__are_its_videos_by_name(tmp_path: Path) -> None:
    """Only files with a video's ending count, in whatever case, and not those of inner folders."""
    for name in ("b.MP4", "a.webm", "c.txt", "d", ".mov", "e.mkv.part"):
        (tmp_path / name).write_bytes(small_clip())
    (tmp_path / "f.mp4").mkdir()
    (tmp_path / "f.mp4" / "inner.mp4").write_bytes(small_clip())
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")

    assert names(str(tmp_path)) == ["a.webm", "b.MP4"]


def test_candidates__of_a_file__need_no_ending(tmp_path: Path) -> None:
    """Whoever names a file means it."""
    (tmp_path / "clip").write_bytes(small_clip())

    assert names(str(tmp_path / "clip")) == ["clip"]


def test_exclusive__is_a_folder(tmp_path: Path) -> None:
    """A folder's videos go to one run each, a file to whoever names it."""
    (tmp_path / "a.mp4").write_bytes(small_clip())

    assert FolderSource(str(tmp_path), max_bytes=MAX_BYTES).exclusive
    assert not FolderSource(str(tmp_path / "a.mp4"), max_bytes=MAX_BYTES).exclusive


def test_candidates__folder_without_videos__is_refused(tmp_path: Path) -> None:
    """A folder without videos is named, with the endings that count."""
    (tmp_path / "a.txt").write_bytes(b"text")

    with pytest.raises(RequestError, match=f"no video in {tmp_path}") as caught:
        names(str(tmp_path))

    assert caught.value.code == "source:no-video"
    assert ".mp4" in caught.value.message


@pytest.mark.parametrize(
    "name", ["a b#1?x=%20.mp4", "caf\u00e9.mp4", "\udcff.mp4", "new\nline.mp4"]
)
def test_open__any_name(tmp_path: Path, name: str) -> None:
    """Whatever bytes a name is made of, the file is found again by its URL, which is ASCII."""
    (tmp_path / name).write_bytes(small_clip())
    source = FolderSource(str(tmp_path), max_bytes=MAX_BYTES)

    [video] = source.candidates()
    with source.open(video, offset=0) as chunks:
        content = b"".join(chunks)

    assert content == small_clip()
    assert video.url.isascii()
    assert video.public_url.encode()  # has no half characters, which JSON cannot hold


@pytest.mark.parametrize(
    "form", ["{path}", "file://{path}", "file://localhost{path}", "{relative}"]
)
def test_candidates__forms_of_a_path(tmp_path: Path, form: str) -> None:
    """A path, a relative one and a link name the same file."""
    path = tmp_path / "a.mp4"
    path.write_bytes(small_clip())
    place = form.format(path=path, relative=os.path.relpath(path))

    [video] = FolderSource(place, max_bytes=MAX_BYTES).candidates()

    assert Path(video.public_url).resolve() == path.resolve()


@pytest.mark.parametrize(
    "place", ["/no/such/place", "/dev/null/clip.mp4", "nul\0l", "/" + "x" * 300, "file:///no/such"]
)
def test_candidates__not_there__is_refused(place: str) -> None:
    """A path that leads nowhere is named, and whose path it is."""
    with pytest.raises(RequestError, match="cannot be read by the ingest worker") as caught:
        names(place)

    assert caught.value.code == "source:not-found"


def test_candidates__of_another_machine__are_refused() -> None:
    """A link to a file of another machine is not taken for one of this machine."""
    with pytest.raises(RequestError, match="names a file on elsewhere"):
        names("file://elsewhere/a.mp4")


def test_open__no_regular_file__is_refused(tmp_path: Path) -> None:
    """A pipe, which would block, and a device, which has no end, are not read."""
    os.mkfifo(tmp_path / "pipe.mp4")
    for place in (tmp_path / "pipe.mp4", Path("/dev/zero")):
        source = FolderSource(str(place), max_bytes=MAX_BYTES)
        [video] = source.candidates()

        with source.open(video, offset=0) as chunks, pytest.raises(RequestError) as caught:
            next(chunks)

        assert caught.value.code == "source:no-video"


def test_open__grows_meanwhile__is_refused(tmp_path: Path) -> None:
    """A file that somebody still writes to is not taken for the whole."""
    path = tmp_path / "a.mp4"
    path.write_bytes(small_clip())
    source = FolderSource(str(path), max_bytes=MAX_BYTES)
    [video] = source.candidates()

    with source.open(video, offset=0) as chunks:
        next(chunks)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(RequestError, match="changed while it was being read"):
            list(chunks)
