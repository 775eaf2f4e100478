"""What cannot or must not be decoded is refused with the reason, before it costs anything."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import pytest

from curation.engine.decode import open_video
from curation.engine.limits import check_limits
from curation.errors import RequestError
from tests.support.media import write_audio, write_playlist, write_scenes

if TYPE_CHECKING:
    from pathlib import Path


def test_open_video__refuses_a_playlist_named_like_a_video(tmp_path: Path) -> None:
    """A text that FFmpeg would play as a local file is refused, though a guess would open it."""
    write_scenes(tmp_path / "secret.mp4", [3])
    playlist = write_playlist(tmp_path / "clip.mp4", tmp_path / "secret.mp4")
    with av.open(str(playlist)) as container:
        assert container.format.name == "concat"

    with (
        playlist.open("rb") as file,
        pytest.raises(RequestError) as caught,
        open_video(file, name="clip.mp4"),
    ):
        pass

    assert caught.value.code == "source:no-video"


@pytest.mark.parametrize("cover", [False, True])
def test_open_video__refuses_sound_without_video(tmp_path: Path, *, cover: bool) -> None:
    """Sound has no frames to choose from; its cover picture is not a video."""
    path = write_audio(tmp_path / "song.mp4", cover=cover)

    with (
        path.open("rb") as file,
        pytest.raises(RequestError) as caught,
        open_video(file, name="song.mp4"),
    ):
        pass

    assert caught.value.code == "source:no-video-stream"
    assert "'song.mp4' has no video stream, only audio." in caught.value.message


def test_open_video__refuses_a_file_without_its_index(tmp_path: Path) -> None:
    """Of a cut file with its index at the end nothing can be decoded."""
    content = write_scenes(tmp_path / "clip.mp4", [50]).read_bytes()
    half = io.BytesIO(content[: len(content) // 2])

    with pytest.raises(RequestError) as caught, open_video(half, name="clip"):
        pass

    assert caught.value.code == "source:undecodable"


@pytest.mark.parametrize(
    ("header", "offset", "claim", "said"),
    [
        # Width and height in the stream's format; frames in its header (AVI's BITMAPINFOHEADER
        # and AVIStreamHeader).
        (b"strf", 12, (16_000).to_bytes(4, "little") * 2, "more than 35,389,440 pixels"),
        (b"strh", 40, (300_000).to_bytes(4, "little"), "300,000 or more"),
    ],
)
def test_open_video__refuses_what_claims_to_be_huge(
    header: bytes, offset: int, claim: bytes, said: str, tmp_path: Path
) -> None:
    """A decompression bomb is refused by its own claim, before a frame is decoded."""
    path = write_scenes(tmp_path / "clip.avi", [2], codec="rawvideo")
    content = bytearray(path.read_bytes())
    position = content.index(header) + offset
    content[position : position + len(claim)] = claim

    with pytest.raises(RequestError) as caught, open_video(io.BytesIO(content), name="clip"):
        pass

    assert caught.value.code == "source:beyond-limits"
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("width", "height", "n_frames", "accepted"),
    [
        (7680, 4320, 1_000, True),
        (4320, 7680, 1_000, True),
        (8192, 4321, 1, False),
        (16_385, 100, 1, False),
        (1920, 1080, 250_000, True),
        (640, 360, 250_001, False),
        (7680, 4320, 100_000, False),
    ],
)
def test_check_limits__bounds_size_count_and_product(
    width: int, height: int, n_frames: int, *, accepted: bool
) -> None:
    """Real film passes; larger frames, more frames, or too much of both do not."""
    try:
        check_limits(width, height, n_frames, name="clip")
        passed = True
    except RequestError:
        passed = False

    assert accepted == passed
