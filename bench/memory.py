"""Measures the most memory that the engine takes for a long video.

Usage: python -m bench.memory MINUTES HEIGHT SHARE, for instance 10 1080 0.1. The video is a short
H.264 clip, repeated without being encoded again, so that only its first segment is embedded: the
others are the same but for their times. All is done by one process, which needs more than a worker.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.media import joined_clip, repeated
from bench.outside import no_pool, nothing, say
from curation.engine.embedders.catalog import open_embedder
from curation.engine.frames import Frames
from curation.engine.pools import Pools
from curation.engine.run import Engine
from curation.engine_port import VideoOfRun
from curation.selection_config import diverse

if TYPE_CHECKING:
    from numpy.typing import NDArray


_FPS = 25
_CLIP_S, _SEGMENT_S = 10, 20
# Little content: what is measured is memory, and the rest should go fast.
_ENCODER = {"preset": "veryfast", "crf": "38", "g": "50"}
# Linux counts kilobytes.
_KB_IN_MB = 1024


def main() -> None:
    """Prints the peak after embedding and after the choice, and the CPU-seconds of both."""
    minutes, height, share = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        clip = joined_clip(
            "clip.mp4", "libx264", _CLIP_S * _FPS, (height * 16 // 9, height), _ENCODER
        )
        repeated(clip, minutes * 60 // _CLIP_S, path)
        say(f"{minutes} min at {height}p, {share:.0%} chosen: file {path.stat().st_size >> 20} MB")
        _measure(path, share)


def _measure(path: Path, share: float) -> None:
    video = VideoOfRun(
        open=lambda: path.open("rb"),
        run_id="bench",
        uri=f"s3://bench/{path.name}",
        sha256="",
        config=diverse(share),
    )
    embedder = open_embedder("lite0", device="cpu", cache_dir=None)
    engine = Engine(lambda: embedder, Pools(no_pool, None, 0.0))
    segments = engine.plan(video).segments
    first = Frames.from_npz(engine.embed(video, segments[0], progress=nothing))
    _report(f"one of {len(segments)} segments embedded")
    # A segment shows the clip so many times, and all are alike but for their times.
    parts = (
        replace(first, timestamps_s=_times_s(len(first), number)).to_npz()
        for number in range(len(segments))
    )
    found = engine.choose(video, parts, write=nothing, progress=nothing)
    _report(f"{len(found.filenames)} of {found.n_frames} frames chosen")


def _times_s(n_frames: int, segment: int) -> NDArray[np.float64]:
    # Divided once, so that they are exactly those of the video.
    return (np.arange(n_frames) + segment * _SEGMENT_S * _FPS) / _FPS


def _report(what: str) -> None:
    spent = sum(os.times()[:4])
    ours, children = (
        resource.getrusage(who).ru_maxrss // _KB_IN_MB
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    say(f"{what}: peak {ours} MB, of its child {children} MB; {spent:.0f} CPU-s so far")


if __name__ == "__main__":
    main()
