"""Picks frames of a video. A stand-in's choice: every n-th, whatever is on them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_THUMBNAIL_WIDTH = 160


@dataclass(frozen=True)
class Frame:
    """A frame as PNG.

    Attributes:
        name: As the Lightly client's own video dataset forms it.
        image: At full size.
        thumbnail: At most 160 pixels wide.
    """

    name: str
    image: bytes
    thumbnail: bytes


def pick(video: Path, *, name: str, proportion: float) -> Iterator[Frame]:
    """Yields evenly spaced frames.

    Args:
        video: The file.
        name: The video's name in its datasource, which the names of the frames begin with.
        proportion: Share of frames to keep; at least one is.
    """
    n_frames = sum(1 for _ in _decode(video))
    n_picked = max(1, round(n_frames * proportion))
    numbers = {index * n_frames // n_picked for index in range(n_picked)}
    stem, _, extension = name.rpartition(".")
    for number, frame in enumerate(_decode(video)):
        if number in numbers:
            yield Frame(
                name=f"{stem}-{number:0{len(str(n_frames))}}-{extension}.png",
                image=_png(frame, frame.width),
                thumbnail=_png(frame, min(frame.width, _THUMBNAIL_WIDTH)),
            )


def _decode(video: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(video)) as container:
        yield from container.decode(video=0)


def _png(frame: av.VideoFrame, width: int) -> bytes:
    height = max(1, frame.height * width // frame.width)
    picture = frame.reformat(width=width, height=height, format="rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = Fraction(1, 1)
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
