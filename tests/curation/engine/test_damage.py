"""Damaged frames are found by what the decoder says and by what follows from it."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from curation.engine.damage import damaged, find_damage, strayed
from curation.engine.decode import open_video
from curation.engine.frames import Frames
from curation.engine.segments import plan_segments
from curation.errors import RequestError
from tests.support.media import write_scenes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def mask_of(keys: Sequence[int], signs: Sequence[int], n_frames: int = 12) -> list[int]:
    """Returns the numbers of the frames that are marked."""
    numbers = np.arange(n_frames)
    mask = damaged(
        is_key=np.isin(numbers, keys),
        is_corrupt=np.isin(numbers, signs[:1]),
        n_errors=np.isin(numbers, signs[1:]).astype(np.int32),
    )
    return [int(number) for number in np.flatnonzero(mask)]


@pytest.mark.parametrize(
    ("keys", "signs", "expected"),
    [
        ([0, 4, 8], [], []),
        ([0, 4, 8], [5], [5, 6, 7]),
        ([0, 4, 8], [8], [8, 9, 10, 11]),
        ([0, 4, 8], [1, 3, 6], [1, 2, 3, 6, 7]),
        ([0, 4, 8], [3, 4], [3, 4, 5, 6, 7]),
        ([], [10], [10, 11]),
        ([6], [2], [2, 3, 4, 5]),
    ],
)
def test_damaged__goes_from_the_first_sign_to_the_next_keyframe(
    keys: list[int], signs: list[int], expected: list[int]
) -> None:
    """What a decoder mends spreads to all pictures that are made from it."""
    assert expected == mask_of(keys, signs)


def frames(n_frames: int, corrupt: Sequence[int]) -> Frames:
    """Frames of a video with one keyframe every ten, at 10 frames a second."""
    zeros = np.zeros(n_frames, np.float32)
    return Frames(
        timestamps_s=np.arange(n_frames) / 10,
        embeddings=np.ones((n_frames, 1), np.float16),
        is_key=np.arange(n_frames) % 10 == 0,
        is_corrupt=np.isin(np.arange(n_frames), corrupt),
        n_errors=zeros.astype(np.int32),
        sharpness=zeros,
        luminance=zeros,
        thumbnails=[b""] * n_frames,
    )


def test_find_damage__tells_how_much_and_when() -> None:
    """A partial result says of which moments nothing could be chosen, and what is missing."""
    damage = find_damage(frames(40, [13, 35]), n_frames_declared=50, name="clip.mp4")

    assert (damage.n_damaged, damage.n_missing) == (12, 10)
    assert damage.ranges_s == [(1.3, 1.9), (3.5, 3.9)]


@pytest.mark.parametrize(
    ("corrupt", "max_share", "is_refused"),
    [([20], 0.5, False), ([10, 20, 30], 0.5, True), ([10, 20, 30], 0.8, False), ([], 0.0, False)],
)
def test_find_damage__refuses_more_than_the_accepted_share(
    corrupt: list[int], max_share: float, *, is_refused: bool
) -> None:
    """Above the threshold the run ends with the count, and not with a selection of leftovers."""
    video = frames(40, corrupt)
    if not is_refused:
        find_damage(video, n_frames_declared=None, name="clip.mp4", max_share=max_share)
        return

    with pytest.raises(RequestError) as caught:
        find_damage(video, n_frames_declared=None, name="clip.mp4", max_share=max_share)

    assert caught.value.code == "source:corrupt"
    assert "30 of 40 frames of 'clip.mp4' are damaged" in caught.value.message


def test_find_damage__refuses_a_video_without_a_whole_frame() -> None:
    """Of nothing nothing can be chosen, whatever share is accepted."""
    with pytest.raises(RequestError, match="4 of 4 frames"):
        find_damage(frames(4, [0]), n_frames_declared=None, name="clip.mp4", max_share=1.0)


def signs(content: bytes, *, is_cut: bool) -> tuple[list[float], NDArray[np.bool_], list[bytes]]:
    """Decodes a video and returns times, damage and pixels of its frames."""
    rows, pixels = [], []
    with open_video(io.BytesIO(content), name="clip") as video:
        parts = plan_segments(video, segment_s=0.3) if is_cut else [None]
        for part in parts:
            for frame in video.frames(part):
                rows.append((frame.timestamp_s, frame.is_key, frame.is_corrupt, frame.n_errors))
                pixels.append(video.pixels(frame).tobytes())
    times, keys, corrupt, errors = zip(*rows, strict=True)
    mask = damaged(is_key=np.array(keys), is_corrupt=np.array(corrupt), n_errors=np.array(errors))
    return list(times), mask, pixels


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_damaged__has_all_frames_that_zeros_have_changed(
    name: str, tmp_path: Path, *, is_cut: bool
) -> None:
    """With ranges of an H.264 file zeroed, each frame is marked or has the pixels of the clean."""
    options = {"g": "15", "bf": "3", "crf": "10"}
    content = write_scenes(tmp_path / name, [20, 40, 40], options=options).read_bytes()
    clean = dict(zip(*signs(content, is_cut=is_cut)[::2], strict=True))
    dice = random.Random(7)
    for _ in range(4):
        copy = bytearray(content)
        for _ in range(2):
            at = dice.randrange(5_000, len(content) - 12_000)
            copy[at : at + 800] = bytes(800)

        times, mask, pixels = signs(bytes(copy), is_cut=is_cut)

        assert mask.any() or len(times) < 100
        assert all(
            is_marked or clean.get(time) == picture
            for time, is_marked, picture in zip(times, mask, pixels, strict=True)
        )


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({}, []),
        ({20: 70.0}, [20]),
        ({20: -1.0}, [20]),
        # Either may be the damaged one.
        ({20: 21.0}, [20, 21]),
        ({20: 70.0, 30: 3.0}, [20, 30]),
        # A clock that is wrong throughout says nothing of the frames.
        ({number: number - 2.0 for number in range(2, 60, 3)}, []),
    ],
)
def test_strayed__marks_frames_whose_time_is_not_between_their_neighbours(
    moved: dict[int, float], expected: list[int]
) -> None:
    """A damaged time moves one frame."""
    times = [moved.get(number, float(number)) for number in range(60)]

    assert expected == np.flatnonzero(strayed(np.array(times))).tolist()


@pytest.mark.parametrize("times", [[], [0.0], [7.0, 8.0, 9.0, 0.0, 1.0, 2.0]])
def test_strayed__marks_none_where_the_clock_goes_on_from_elsewhere(times: list[float]) -> None:
    """Recordings that were joined are whole."""
    assert not strayed(np.array(times)).any()


def test_find_damage__marks_what_refers_to_pictures_that_matroska_lost(tmp_path: Path) -> None:
    """Where the head of a block is damaged, the demuxer drops pictures and says nothing."""
    options = {"g": "20", "keyint_min": "20", "sc_threshold": "0", "bf": "0", "crf": "10"}
    path = write_scenes(tmp_path / "clip.mkv", [60], options=options)
    copy = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        contents = [bytes(packet) for packet in container.demux(video=0)]
    # Bytes before the content: size of the block (2), track, time (2), flags.
    copy[copy.index(contents[26]) - 6] ^= 0x20

    times, mask, _ = signs(bytes(copy), is_cut=False)

    assert len(times) < 60
    lost = next(n for n, time in enumerate(times) if time > n / 25 + 0.001)
    next_key = min(n for n, time in enumerate(times) if time >= 40 / 25)
    assert np.flatnonzero(mask).tolist() == list(range(lost, next_key))
