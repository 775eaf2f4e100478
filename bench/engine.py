"""Measures the engine in frames per CPU-second, by stage and end to end, beside the decoder alone.

Usage: python -m bench.engine [FRAMES]. Full HD H.264, with few repeats: of copies the engine
chooses one and decodes little again. CPU-seconds are user and system time of this process and
its children, so that other work on the machine counts little.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np

from bench.frames import choose
from bench.media import joined_clip
from bench.outside import no_pool, nothing, say
from curation.engine.decode import open_video
from curation.engine.embedders.catalog import open_embedder
from curation.engine.extract import extract
from curation.engine.pictures import jpeg
from curation.engine.pools import Pools
from curation.engine.run import Engine
from curation.engine.signals import grey_of, sharpness_of
from curation.engine.sparing import SparingEmbedder, most_spared
from curation.engine_port import VideoOfRun
from curation.selection_config import diverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.engine.embedders.port import Embedder

_SIZE = (1920, 1080)
_N_FRAMES = 600
_PROPORTION = 0.1
# The least of so many tries: what disturbs only ever adds.
_TRIES = 2


@dataclass(frozen=True)
class _Decoded:
    """The clip as the engine sees it: N frames, D features."""

    timestamps_s: NDArray[np.float64]
    is_key: NDArray[np.bool_]
    small: list[NDArray[np.uint8]]
    embeddings: NDArray[np.float32]


def main() -> None:
    """Prints one line for each figure."""
    n_frames = int(sys.argv[1]) if len(sys.argv) > 1 else _N_FRAMES
    content = joined_clip("clip.mp4", "libx264", n_frames, _SIZE, {})
    embedder = open_embedder("lite0", device="cpu", cache_dir=None)
    decoded = _decoded(content, embedder)
    stages = _stages(content, decoded, embedder)
    # In turns, so that what else the machine does falls on all stages alike.
    tries = [{name: _cpu_s(work) for name, work in stages.items()} for _ in range(_TRIES)]
    seconds = {name: min(one[name] for one in tries) for name in stages}
    for name, spent in seconds.items():
        say(f"{name}: {len(decoded.small) / spent:.0f} frames/CPU-s")
    say(f"ratio to decode only: {seconds['decode only'] / seconds['end to end']:.2f}")
    # Linux counts kilobytes.
    say(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _stages(
    content: bytes, decoded: _Decoded, embedder: Embedder
) -> dict[str, Callable[[], object]]:
    n_frames = len(decoded.timestamps_s)
    wanted = range(0, n_frames, round(1 / _PROPORTION))
    return {
        "decode only": lambda: _decode_only(content),
        "decode + scale": lambda: _decode_and_scale(content, embedder.size),
        "embed": lambda: [embedder.embed(pixels) for pixels in decoded.small],
        "embed what differs": lambda: _embed_sparingly(decoded.small, embedder),
        "signals": lambda: _signals(decoded.small),
        "extract + JPEG": lambda: _extract(content, decoded, wanted),
        "choice": lambda: choose(decoded.embeddings, diverse(_PROPORTION)),
        "end to end": lambda: _whole(content, embedder),
    }


def _decoded(content: bytes, embedder: Embedder) -> _Decoded:
    with open_video(io.BytesIO(content), name="clip.mp4") as video:
        rows = [
            (frame.timestamp_s, frame.is_key, video.pixels(frame, size=embedder.size))
            for frame in video.frames()
        ]
    times, is_key, small = zip(*rows, strict=True)
    embeddings = np.array([embedder.embed(pixels) for pixels in small])
    return _Decoded(np.array(times), np.array(is_key), list(small), embeddings)


def _decode_only(content: bytes) -> None:
    with av.open(io.BytesIO(content), "r") as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def _decode_and_scale(content: bytes, size: int) -> None:
    with open_video(io.BytesIO(content), name="clip.mp4", seen_at=size) as video:
        for frame in video.frames():
            video.pixels(frame, size=size)


def _embed_sparingly(small: list[NDArray[np.uint8]], embedder: Embedder) -> None:
    sparing = SparingEmbedder(embedder, most=most_spared(diverse(_PROPORTION), None))
    for pixels in small:
        sparing.embed(pixels)


def _signals(small: list[NDArray[np.uint8]]) -> None:
    for pixels in small:
        grey = grey_of(pixels)
        sharpness_of(grey)
        grey.mean()


def _extract(content: bytes, decoded: _Decoded, wanted: range) -> None:
    with open_video(io.BytesIO(content), name="clip.mp4") as video:
        frames = extract(video, wanted, timestamps_s=decoded.timestamps_s, is_key=decoded.is_key)
        for _, pixels in frames:
            jpeg(pixels)


def _whole(content: bytes, embedder: Embedder) -> None:
    video = VideoOfRun(
        open=lambda: io.BytesIO(content),
        run_id="bench",
        uri="s3://bench/clip.mp4",
        sha256="",
        config=diverse(_PROPORTION),
    )
    engine = Engine(lambda: embedder, Pools(no_pool, None, 0.0))
    parts = [
        engine.embed(video, segment, progress=nothing) for segment in engine.plan(video).segments
    ]
    engine.choose(video, parts, write=nothing, progress=nothing)


def _cpu_s(work: Callable[[], object]) -> float:
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


if __name__ == "__main__":
    main()
