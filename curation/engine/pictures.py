"""Writes the chosen frames as pictures at full size."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from curation.engine.extract import extract
from curation.engine.outcome import Pictures, SelectedFrame
from curation.engine.packages import explained
from curation.engine.signals import thumbnail_of

with explained():
    from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from curation.engine.choice import Choice
    from curation.engine.decode import Video
    from curation.engine.frames import Frames

# More than a report can show; the first ones in order of choice are a selection themselves.
_MOST_THUMBNAILS = 600
# Above 95 files grow by half and nothing is to be seen (Pillow's documentation).
_JPEG_QUALITY = 95
_MIME_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class PictureFormat:
    """How pictures are written.

    Attributes:
        extension: Of their file names; `png` loses nothing.
        quality: Of JPEG, 1 to 100.
    """

    extension: Literal["jpg", "png"] = "jpg"
    quality: int = _JPEG_QUALITY

    @property
    def mime_type(self) -> str:
        """Their MIME type."""
        return _MIME_TYPES[self.extension]

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Returns a picture as a file; RGB, shape (H, W, 3), uint8."""
        if self.extension == "jpg":
            return jpeg(pixels, quality=self.quality)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()


def write_pictures(
    video: Video,
    frames: Frames,
    choice: Choice,
    *,
    form: PictureFormat,
    write: Callable[[str, bytes, str], None],
    on_picture: Callable[[], None],
) -> Pictures:
    """Writes each chosen frame under `frames/`.

    Args:
        video: The open video.
        frames: All its frames.
        choice: Which of them.
        form: How they are written.
        write: Writes a result: name relative to the run, content, MIME type.
        on_picture: Called before each. It may raise, which ends the work.
    """
    on_picture()
    numbers = choice.indices.tolist()
    pictures = Pictures(_selected(video, frames, choice, form))
    files = {frame.frame_number: frame.file for frame in pictures.selected}
    shown = set(numbers[:_MOST_THUMBNAILS])
    times_s, is_key = frames.timestamps_s, frames.is_key
    for number, pixels in extract(video, numbers, timestamps_s=times_s, is_key=is_key):
        on_picture()
        height, width = pixels.shape[:2]
        pictures.sizes[number] = (width, height)
        if number in shown:
            pictures.thumbnails[number] = thumbnail_of(pixels, aspect=width / height)
        write(files[number], form.encode(pixels), form.mime_type)
    return pictures


def frame_filename(video_name: str, frame_number: int, n_frames: int, extension: str) -> str:
    """Returns the hosted service's name of a frame: `clip-007-mp4.jpg`.

    Args:
        video_name: File name of the video.
        frame_number: From 0.
        n_frames: Frames in the video; numbers get as many digits as this has.
        extension: Of the picture, `jpg` or `png`.
    """
    path = PurePath(video_name)
    digits = len(str(n_frames))
    return f"{path.stem}-{frame_number:0{digits}d}-{path.suffix.lstrip('.')}.{extension}"


def jpeg(pixels: NDArray[np.uint8], *, quality: int = _JPEG_QUALITY) -> bytes:
    """Returns the picture as JPEG.

    Args:
        pixels: RGB, shape (H, W, 3), uint8.
        quality: 1 to 100.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _selected(
    video: Video, frames: Frames, choice: Choice, form: PictureFormat
) -> list[SelectedFrame]:
    numbers, distances = choice.indices.tolist(), choice.distances.tolist()
    name, n_frames = video.name, len(frames)
    return [
        SelectedFrame(
            frame_number=number,
            timestamp_s=float(frames.timestamps_s[number]),
            order=order,
            file=f"frames/{frame_filename(name, number, n_frames, form.extension)}",
            distance=round(distance, 4),
        )
        for order, (number, distance) in enumerate(zip(numbers, distances, strict=True))
    ]
