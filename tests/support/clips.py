"""Small real videos, made on the spot."""

from __future__ import annotations

import functools
import io
import random

import av
import numpy as np

_BOX_HEAD_BYTES = 8


@functools.cache
def small_clip(n_frames: int = 10) -> bytes:
    """Returns an MP4 of moving noise, 64 x 48 pixels, a few kilobytes long."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64 + n_frames, 3), dtype=np.uint8)
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for number in range(n_frames):
            picture = np.ascontiguousarray(pixels[:, number : number + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


@functools.cache
def clip_of(size_bytes: int) -> bytes:
    """Returns the small clip with a box of random bytes behind it that players skip."""
    clip = small_clip()
    box_bytes = size_bytes - len(clip)
    head = box_bytes.to_bytes(4, "big") + b"free"
    return clip + head + random.Random(0).randbytes(box_bytes - _BOX_HEAD_BYTES)
