"""Frames come out complete, numbered and timed, whatever the file does to hide them."""

from __future__ import annotations

import io
from contextlib import suppress
from itertools import accumulate, cycle, islice
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.engine.decode import open_video
from curation.engine.opening import READ_BYTES
from curation.errors import RequestError, TransientError
from tests.support.media import read_number, shipped_clip, write_audio, write_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from curation.engine.decode import DecodedFrame


def decode(content: bytes) -> tuple[list[DecodedFrame], list[int]]:
    """Returns all frames, and the numbers that their pictures carry."""
    with open_video(io.BytesIO(content), name="clip") as video:
        frames = list(video.frames())
        return frames, [read_number(video.pixels(frame)) for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.mp4", "libx264", {"bf": "3"}),
        ("clip.mp4", "libx265", {"x265-params": "log-level=none"}),
        ("clip.mov", "libx264", {}),
        ("clip.mkv", "libx264", {"bf": "3"}),
        ("clip.webm", "libvpx-vp9", {"deadline": "realtime"}),
        ("clip.avi", "mpeg4", {}),
        ("clip.avi", "libx264", {"bf": "3"}),
        ("clip.ts", "libx264", {"bf": "3"}),
        ("clip.mpg", "mpeg2video", {"bf": "2"}),
        ("clip.flv", "libx264", {}),
        ("clip.ogv", "libvpx", {}),
    ],
)
def test_frames__come_in_presentation_order(
    name: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    """Frame number n is the n-th frame that a player shows, and times rise evenly."""
    path = write_scenes(tmp_path / name, [5, 8, 10], codec=codec, options=options)

    frames, carried = decode(path.read_bytes())

    assert carried == list(range(23))
    assert [frame.number for frame in frames] == carried
    start = frames[0].timestamp_s
    times = [frame.timestamp_s - start for frame in frames]
    assert times == pytest.approx([number / 25 for number in carried], abs=0.001)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_frames__have_the_times_of_a_variable_rate(name: str, tmp_path: Path) -> None:
    """A time is the one stored in the file, not the number divided by a rate."""
    durations = (1, 4, 2)
    path = write_scenes(tmp_path / name, [20], durations=durations, options={"bf": "3"})

    frames, _ = decode(path.read_bytes())

    ticks = accumulate(islice(cycle(durations), 19), initial=0)
    assert [frame.timestamp_s for frame in frames] == [tick / 25 for tick in ticks]


def test_frames__are_those_of_a_plain_decode() -> None:
    """On a real clip, numbers and times are those that PyAV gives to whoever decodes it all."""
    path = shipped_clip("bigbuckbunny.mp4")
    with av.open(str(path)) as container:
        expected = [float(frame.time or 0) for frame in container.decode(video=0)]

    with path.open("rb") as file, open_video(file, name=path.name) as video:
        frames = [(frame.number, frame.timestamp_s) for frame in video.frames()]

    assert frames == list(enumerate(expected))


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2)])
def test_pixels__are_upright(rotation: int, turns: int, tmp_path: Path) -> None:
    """A frame of a turned phone comes out as players show it, scaled or not."""
    path = write_scenes(tmp_path / "clip.mp4", [1], rotation=rotation)
    plain = write_scenes(tmp_path / "plain.mp4", [1])

    with path.open("rb") as file, open_video(file, name="clip") as video:
        frame = next(video.frames())
        whole, small = video.pixels(frame), video.pixels(frame, size=64)
    with plain.open("rb") as file, open_video(file, name="plain") as video:
        expected = video.pixels(next(video.frames()))

    assert np.array_equal(whole, np.rot90(expected, turns))
    assert small.shape == (64, 64, 3)


def test_pixels__follow_a_change_of_size(tmp_path: Path) -> None:
    """A stream may change its frame size on the way; each frame keeps its own."""
    small = write_scenes(tmp_path / "small.ts", [3]).read_bytes()
    large = write_scenes(tmp_path / "large.ts", [2], size=(192, 96)).read_bytes()

    with open_video(io.BytesIO(small + large), name="clip") as video:
        shapes = [video.pixels(frame).shape for frame in video.frames()]

    assert shapes == [(96, 128, 3)] * 3 + [(96, 192, 3)] * 2


def test_pixels__take_an_unknown_colour_space_for_unspecified(scenes: Path) -> None:
    """A frame whose colour matrix has a reserved number is converted all the same."""
    with scenes.open("rb") as file, open_video(file, name="clip") as video:
        frame = next(video.frames())
        expected = video.pixels(frame)
        frame.picture.colorspace = 3

        assert np.array_equal(expected, video.pixels(frame))


def test_open_video__accepts_metadata_in_any_encoding(tmp_path: Path) -> None:
    """A title that is not UTF-8, as old files have, is no obstacle."""
    content = write_scenes(tmp_path / "clip.avi", [3], codec="mpeg4").read_bytes()

    frames, _ = decode(content.replace(b"Lavf", b"\xe4\xf6\xfc\xdf", 1))

    assert len(frames) == 3


def test_frames__go_on_after_damage(tmp_path: Path) -> None:
    """A broken stretch costs its own frames; those after the next keyframe are whole."""
    path = write_scenes(tmp_path / "clip.ts", [100], options={"g": "10"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 800] = bytes(800)

    frames, carried = decode(bytes(content))

    assert 80 < len(frames) <= 100
    assert carried[:40] == list(range(40))
    assert carried[-20:] == list(range(80, 100))


def test_frames__end_where_a_truncated_file_ends(tmp_path: Path) -> None:
    """Of a cut file with its index in front, what is there comes out."""
    path = write_scenes(tmp_path / "clip.mp4", [100], faststart=True)
    content = path.read_bytes()

    frames, carried = decode(content[: len(content) * 2 // 3])

    assert 30 < len(frames) < 100
    assert carried[:30] == list(range(30))


def test_frames__are_complete_when_sound_begins_late(tmp_path: Path) -> None:
    """A stream that nobody has announced, as broadcasts have, does not end the others early."""
    picture = write_scenes(tmp_path / "picture.ts", [100], fps=5).read_bytes()
    pids = {"mpegts_start_pid": "512", "mpegts_pmt_start_pid": "4200"}
    sound = write_audio(tmp_path / "sound.ts", options=pids).read_bytes()

    _, carried = decode(picture + sound)

    assert carried == list(range(100))


class _FailingFile(io.BytesIO):
    """A file on a network that fails at the n-th read."""

    reads_left = 0
    sizes: tuple[int, ...] = ()

    def read(self, size: int | None = -1) -> bytes:
        self.sizes = (*self.sizes, size or 0)
        self.reads_left -= 1
        if self.reads_left == 0:
            raise TransientError("The connection broke.")
        return super().read(size)


@pytest.mark.parametrize("failing_read", [1, 2, 3])
def test_frames__pass_on_the_errors_of_the_file(failing_read: int) -> None:
    """A broken connection is the file's own error, not damage in the video."""
    file = _FailingFile(shipped_clip("bigbuckbunny.mp4").read_bytes())
    file.reads_left = failing_read

    with (
        pytest.raises(TransientError, match=r"The connection broke\."),
        open_video(file, name="clip") as video,
    ):
        list(video.frames())


def test_frames__read_large_blocks() -> None:
    """Each read may be a request to S3, so there are few."""
    content = shipped_clip("bigbuckbunny.mp4").read_bytes()
    file = _FailingFile(content)

    with open_video(file, name="clip") as video:
        assert len(list(video.frames())) == 132

    assert set(file.sizes[1:]) == {READ_BYTES}
    assert len(file.sizes) <= 6


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_frames__of_any_damaged_file_end_in_frames_or_in_a_request_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No damage makes the decoder fail in a way that nobody has foreseen."""
    name, codec = data.draw(
        st.sampled_from([("c.mp4", "libx264"), ("c.mkv", "libx264"), ("c.ts", "mpeg2video")])
    )
    path = tmp_path_factory.mktemp("damaged") / name
    content = bytearray(write_scenes(path, [6], codec=codec).read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    with suppress(RequestError):
        frames, _ = decode(bytes(content))
        assert [frame.number for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize(("seen_at", "is_exact"), [(None, True), (160, False), (200, True)])
def test_frames__may_be_coarse_where_they_are_seen_much_smaller(
    seen_at: int | None, tmp_path: Path, *, is_exact: bool
) -> None:
    """A fourth of the side or less hardly shows whether the edges of blocks were smoothed."""
    path = write_scenes(tmp_path / "large.mp4", [2], size=(1280, 720), options={"crf": "40"})

    shown = []
    for side in (None, seen_at):
        with path.open("rb") as file, open_video(file, name="large.mp4", seen_at=side) as video:
            shown.append([video.pixels(frame, size=160).astype(int) for frame in video.frames()])

    exact, other = np.array(shown[0]), np.array(shown[1])
    assert np.array_equal(exact, other) == is_exact
    assert np.abs(exact - other).mean() < 2
