"""Decodes and embeds the frames of a video or of one segment, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.frames import Frames
from curation.engine.signals import grey_of, sharpness_of, thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.engine.decode import DecodedFrame, Video
    from curation.engine.embedders.port import Embedder
    from curation.engine.packets import Segment

# Frames between two reports of progress.
_PROGRESS_FRAMES = 16
# Thumbnails in a whole video: as many as a report can show.
_THUMBNAILS = 300
# Where the file does not say.
_ASSUMED_FRAMES = 9_000


def embed_frames(
    video: Video, segment: Segment, embedder: Embedder, progress: Callable[[int], None]
) -> Frames:
    """Decodes and embeds all frames, the damaged ones too.

    Args:
        video: The open video.
        segment: Which part of it.
        embedder: Makes numbers of pictures.
        progress: Told how many frames are done. It may raise, which ends the work.
    """
    rows = _Rows(thumbnail_every=-(-(video.n_frames_declared or _ASSUMED_FRAMES) // _THUMBNAILS))
    for n_done, frame in enumerate(video.frames(segment)):
        if n_done % _PROGRESS_FRAMES == 0:
            progress(n_done)
        pixels = video.pixels(frame, size=embedder.size)
        rows.add(frame, pixels, embedder.embed(pixels))
    progress(len(rows.timestamps_s))
    return rows.to_frames(embedder.n_features)


def aspect_of(frame: DecodedFrame) -> float:
    """Returns width by height of the upright picture."""
    picture = frame.picture
    aspect = picture.width / picture.height
    return 1 / aspect if picture.rotation % 180 else aspect


@dataclass
class _Rows:
    """Frames as they come; arrays are made of them at the end."""

    thumbnail_every: int
    timestamps_s: list[float] = field(default_factory=list)
    # Grows where it is; rows in a list would be there twice at the end.
    embeddings: bytearray = field(default_factory=bytearray)
    flags: list[tuple[bool, bool, int]] = field(default_factory=list)
    signals: list[tuple[float, float]] = field(default_factory=list)
    thumbnails: list[bytes] = field(default_factory=list)

    def add(
        self, frame: DecodedFrame, pixels: NDArray[np.uint8], embedding: NDArray[np.float32]
    ) -> None:
        grey = grey_of(pixels)
        self.timestamps_s.append(frame.timestamp_s)
        self.embeddings += embedding.astype(np.float16).tobytes()
        self.flags.append((frame.is_key, frame.is_corrupt, frame.n_errors))
        self.signals.append((sharpness_of(grey), float(grey.mean())))
        # Counted from the segment's start, so that one segment needs to know of no other.
        is_shown = frame.number % self.thumbnail_every == 0
        self.thumbnails.append(thumbnail_of(pixels, aspect=aspect_of(frame)) if is_shown else b"")

    def to_frames(self, n_features: int) -> Frames:
        is_key, is_corrupt, n_errors = np.array(self.flags, np.int32).reshape(-1, 3).T
        sharpness, luminance = np.array(self.signals, np.float32).reshape(-1, 2).T
        return Frames(
            timestamps_s=np.array(self.timestamps_s, np.float64),
            embeddings=np.frombuffer(self.embeddings, np.float16).reshape(-1, n_features),
            is_key=is_key.astype(np.bool_),
            is_corrupt=is_corrupt.astype(np.bool_),
            n_errors=n_errors,
            sharpness=sharpness,
            luminance=luminance,
            thumbnails=self.thumbnails,
        )
