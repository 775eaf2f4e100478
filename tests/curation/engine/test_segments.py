"""A video decoded in segments is the video decoded at once, frame for frame."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine.decode import open_video
from curation.engine.extract import extract
from curation.engine.packets import Segment
from curation.engine.segments import plan_segments
from curation.errors import SelectionFailed
from tests.support.media import write_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from curation.engine.decode import Video

_X264 = {"g": "12", "bf": "3"}
_X265 = "log-level=none:keyint=12:bframes=4:open-gop=1"
_VP9 = {"deadline": "good", "cpu-used": "8", "g": "12", "auto-alt-ref": "1", "lag-in-frames": "16"}
_OPEN = {"x264-params": "open-gop=1:b-pyramid=normal"}
_CREEPING = {"x264-params": "intra-refresh=1"}
# Container, encoder, its options, and how many parts a video with a keyframe at least every
# 12 frames has.
_VIDEOS: list[tuple[str, str, dict[str, str], int]] = [
    ("mp4", "libx264", _X264, 8),
    ("mp4", "libx264", _X264 | _OPEN, 8),
    ("mkv", "libx264", _X264 | _OPEN, 8),
    ("ts", "libx264", _X264 | _OPEN, 8),
    ("ts", "libx264", _X264 | _CREEPING, 8),
    ("mp4", "libx264", _X264 | _CREEPING, 8),
    ("flv", "libx264", _X264, 8),
    ("mov", "mpeg4", {"g": "12", "bf": "2"}, 8),
    ("mp4", "libx265", {"x265-params": _X265}, 9),
    ("mkv", "libx265", {"x265-params": _X265}, 8),
    ("webm", "libvpx-vp9", _VP9, 9),
    ("mp4", "libvpx-vp9", _VP9 | {"deadline": "realtime"}, 9),
    ("ogv", "libvpx", {"g": "12"}, 7),
    ("mkv", "libsvtav1", {"preset": "12", "g": "12"}, 9),
    ("ts", "mpeg2video", {"g": "12", "bf": "2"}, 7),
    ("mkv", "ffv1", {"g": "12"}, 9),
    ("avi", "mpeg4", {"g": "12"}, 8),
    # These cannot be cut: no times, or none to seek by.
    ("avi", "libx264", _X264, 1),
    ("mpg", "mpeg2video", {"g": "12", "bf": "2"}, 1),
]


@pytest.fixture(params=_VIDEOS, ids=lambda video: f"{video[0]}-{video[1]}")
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    """A video of 100 frames, and how many segments of 0.3 s it is expected to have."""
    suffix, codec, options, n_segments = request.param
    path = write_scenes(
        tmp_path / f"clip.{suffix}", [5, 40, 3, 30, 22], codec=codec, options=options
    )
    return path, n_segments


def frames_of(video: Video, segment: Segment | None = None) -> list[tuple[float, str]]:
    """Returns time and a hash of the pixels of each frame."""
    return [
        (frame.timestamp_s, hashlib.sha256(video.pixels(frame).tobytes()).hexdigest())
        for frame in video.frames(segment)
    ]


def test_plan_segments__parts_give_the_frames_of_the_whole(clip: tuple[Path, int]) -> None:
    """Pixels, times and order are the same, from a file opened anew or jumped about in."""
    path, n_segments = clip
    content = path.read_bytes()
    with open_video(io.BytesIO(content), name="clip") as video:
        whole = frames_of(video)
        segments = plan_segments(video, segment_s=0.3)
        backwards = [frames_of(video, segment) for segment in reversed(segments)]

    parts = []
    for segment in segments:
        with open_video(io.BytesIO(content), name="clip") as video:
            parts += frames_of(video, Segment(**json.loads(json.dumps(asdict(segment)))))

    assert n_segments == len(segments)
    assert len(whole) == 100
    assert whole == parts
    assert whole == [frame for part in reversed(backwards) for frame in part]


@pytest.mark.parametrize("wanted", [[3], [7, 8, 50, 99], list(range(100))])
def test_extract__gives_the_pixels_of_a_decode_of_all(
    clip: tuple[Path, int], wanted: list[int]
) -> None:
    """What is left out on the way to a frame leaves no trace in it."""
    path, _ = clip
    with path.open("rb") as file, open_video(file, name="clip") as video:
        frames = [(frame, video.pixels(frame)) for frame in video.frames()]
        times = np.array([frame.timestamp_s for frame, _ in frames])
        is_key = np.array([frame.is_key for frame, _ in frames])

        extracted = dict(extract(video, wanted, timestamps_s=times, is_key=is_key))

    assert wanted == sorted(extracted)
    assert all(np.array_equal(frames[number][1], extracted[number]) for number in wanted)


def test_extract__names_a_frame_that_is_gone(scenes: Path) -> None:
    """A video that was exchanged between two looks is no quiet loss of a frame."""
    times, is_key = np.arange(300) / 25 + 0.001, np.arange(300) == 0

    with (
        scenes.open("rb") as file,
        open_video(file, name="clip") as video,
        pytest.raises(SelectionFailed) as caught,
    ):
        list(extract(video, [17], timestamps_s=times, is_key=is_key))

    assert caught.value.code == "engine:video-changed"
    assert "Frame 17 was there" in caught.value.message


def test_plan_segments__are_as_long_as_asked(tmp_path: Path) -> None:
    """A segment ends at the first keyframe after its time, so there is one for few keyframes."""
    path = write_scenes(tmp_path / "clip.mp4", [100], options={"g": "10", "sc_threshold": "0"})

    with path.open("rb") as file, open_video(file, name="clip") as video:
        counts = {
            seconds: [
                len(list(video.frames(part))) for part in plan_segments(video, segment_s=seconds)
            ]
            for seconds in (0.4, 1.0, 20.0)
        }

    assert counts == {0.4: [10] * 10, 1.0: [30, 30, 30, 10], 20.0: [100]}


def test_plan_segments__of_joined_broadcasts_is_one(tmp_path: Path) -> None:
    """Where time begins again, seeking by time would lead to either of two places."""
    part = write_scenes(tmp_path / "clip.ts", [50], options={"g": "5"}).read_bytes()

    with open_video(io.BytesIO(part + part), name="clip") as video:
        assert [Segment()] == plan_segments(video, segment_s=0.3)
        assert len(list(video.frames())) == 100
