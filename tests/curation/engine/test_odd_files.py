"""Every hostile, damaged or odd file ends in its frames or in a clear error, and leaves nothing."""

from __future__ import annotations

import io
import resource
from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine.decode import open_video
from curation.engine.opening import undecodable
from curation.engine.segments import plan_segments
from curation.errors import RequestError
from tests.support.odd_files import ODD_FILES, OddFile

if TYPE_CHECKING:
    from pathlib import Path


def decode(content: bytes, name: str) -> int:
    """Decodes a file in segments and at once, and returns how many frames it has."""
    with open_video(io.BytesIO(content), name=name) as video:
        parts = [list(video.frames(part)) for part in plan_segments(video, segment_s=0.1)]
        times = [frame.timestamp_s for part in parts for frame in part]
        for part in parts:
            for frame in part[:2]:
                assert video.pixels(frame, size=32).shape == (32, 32, 3)
                assert video.pixels(frame).dtype == np.uint8
    if not times:
        raise undecodable(name, "not one frame comes out")
    assert all(np.isfinite(times))
    return len(times)


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.name)
def test_open_video__ends_well_with_any_file(odd: OddFile, tmp_path: Path) -> None:
    """The right frames come out, or the right error, without much memory and without a leftover."""
    content = odd.make(tmp_path / odd.name)
    before = {path.name for path in tmp_path.iterdir()}
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    try:
        n_frames: str | int = decode(content, odd.name)
        said = odd.name
    except RequestError as error:
        n_frames, said = error.code, error.message

    if isinstance(n_frames, int) and isinstance(odd.end, int):
        assert odd.end <= n_frames <= (odd.n_frames or odd.end)
    else:
        assert odd.end == n_frames
    assert odd.name in said
    assert before == {path.name for path in tmp_path.iterdir()}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 500_000


def test_odd_files__are_many() -> None:
    """The set has the forty kinds of file that are promised, and no name twice."""
    assert len(ODD_FILES) >= 40
    assert len(ODD_FILES) == len({odd.name for odd in ODD_FILES})
