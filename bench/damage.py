"""Measures how well damaged frames are found, against a pixel comparison with the clean copy."""

from __future__ import annotations

import io
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.media import joined_clip
from curation.engine.damage import damaged
from curation.engine.decode import open_video
from curation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

# File name and encoder of each copy; a keyframe every two seconds.
_COPIES = {
    "mp4 h264": ("clip.mp4", "libx264", {"g": "50"}),
    "mkv h264": ("clip.mkv", "libx264", {"g": "50"}),
    "ts h264": ("clip.ts", "libx264", {"g": "50"}),
    "webm vp9": ("clip.webm", "libvpx-vp9", {"g": "50", "deadline": "realtime", "cpu-used": "8"}),
}
_N_FRAMES = 300
_SIZE = (640, 360)
_SEEDS = range(3)
# A frame is visibly damaged if this share of its pixels is off by more than so many of 255.
_VISIBLE_SHARE = 0.01
_VISIBLE_STEP = 16
# A row of the small picture is uniform if its values lie this close to each other.
_UNIFORM_STEP = 2


@dataclass
class Count:
    """Frames of all copies with the same kind of damage.

    Attributes:
        frames: Frames that came out.
        visible: Those that are visibly damaged.
        found: Visibly damaged ones that are marked.
        marked: All that are marked.
        flagged: Visibly damaged ones that the decoder's flag alone marks.
        uniform: Visibly damaged, not marked, and with more uniform rows than the clean frame's
            neighbourhood ever has.
        uniform_clean: Clean frames that this would mark.
        refused: Copies that ended in an error.
    """

    frames: int = 0
    visible: int = 0
    found: int = 0
    marked: int = 0
    flagged: int = 0
    uniform: int = 0
    uniform_clean: int = 0
    refused: int = 0


@dataclass
class _Decoded:
    greys: dict[float, Grey]
    mask: NDArray[np.bool_]
    flags: NDArray[np.bool_]


def measure(content: bytes, damages: Callable[[bytes, int], bytes]) -> Count:
    """Damages copies of a clip and counts what is found."""
    clean = _decode(content)
    most_uniform = max(map(_uniform_rows, clean.greys.values()))
    count = Count()
    for seed in _SEEDS:
        try:
            copy = _decode(damages(content, seed))
        except RequestError:
            count.refused += 1
            continue
        _add(count, clean, copy, most_uniform)
    return count


def _add(count: Count, clean: _Decoded, copy: _Decoded, most_uniform: float) -> None:
    for (time, grey), is_marked, is_flagged in zip(
        copy.greys.items(), copy.mask, copy.flags, strict=True
    ):
        is_visible = time not in clean.greys or _differs(grey, clean.greys[time])
        is_uniform = _uniform_rows(grey) > most_uniform
        count.frames += 1
        count.visible += is_visible
        count.found += is_visible and is_marked
        count.marked += is_marked
        count.flagged += is_visible and is_flagged
        count.uniform += is_visible and is_uniform and not is_marked
        count.uniform_clean += is_uniform and not is_visible


def _decode(content: bytes) -> _Decoded:
    greys: dict[float, Grey] = {}
    rows = []
    with open_video(io.BytesIO(content), name="clip") as video:
        for frame in video.frames():
            if frame.timestamp_s in greys:
                continue
            greys[frame.timestamp_s] = video.pixels(frame).mean(axis=2).astype(np.uint8)
            rows.append((frame.is_key, frame.is_corrupt, frame.n_errors))
    is_key, is_corrupt, n_errors = np.array(rows, np.int32).reshape(-1, 3).T
    mask = damaged(is_key=is_key > 0, is_corrupt=is_corrupt > 0, n_errors=n_errors)
    return _Decoded(greys, mask, is_corrupt > 0)


def _differs(grey: Grey, clean: Grey) -> bool:
    off = np.abs(grey.astype(np.int16) - clean) > _VISIBLE_STEP
    return bool(off.mean() >= _VISIBLE_SHARE)


def _uniform_rows(grey: Grey) -> float:
    return float((np.ptp(grey, axis=1) <= _UNIFORM_STEP).mean())


def _flipped(content: bytes, seed: int) -> bytes:
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    copy = bytearray(content)
    for _ in range(20):
        copy[dice.randrange(*_media(content))] ^= 1 << dice.randrange(8)
    return bytes(copy)


def _zeroed(content: bytes, seed: int) -> bytes:
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    copy = bytearray(content)
    start, end = _media(content)
    for _ in range(3):
        at = dice.randrange(start, end - 5_000)
        copy[at : at + 5_000] = bytes(5_000)
    return bytes(copy)


def _truncated(content: bytes, seed: int) -> bytes:
    return content[: len(content) * (3 + seed) // 10]


def _media(content: bytes) -> tuple[int, int]:
    """Returns the part of a file that is pictures, not headers."""
    start = max(content.find(b"mdat") + 8, 2_000)
    end = content.find(b"moov", start)
    return start, end if end > 0 else len(content) - 2_000


_DAMAGES = {"flipped bytes": _flipped, "zeroed ranges": _zeroed, "truncated": _truncated}


def main() -> None:
    """Prints one line for each container and kind of damage."""
    for label, (name, codec, options) in _COPIES.items():
        content = joined_clip(name, codec, _N_FRAMES, _SIZE, options)
        for kind, damages in _DAMAGES.items():
            count = measure(content, damages)
            whole = count.frames - count.marked
            missed = count.visible - count.found
            sys.stdout.write(
                f"{label}, {kind}: {count.frames} frames, {count.visible} visibly damaged, "
                f"recall {_share(count.found, count.visible)}, "
                f"precision {_share(count.found, count.marked)}, "
                f"damaged among the eligible {missed} of {whole}; flag alone: recall "
                f"{_share(count.flagged, count.visible)}; uniform rows: {count.uniform} more, "
                f"{count.uniform_clean} wrongly; refused {count.refused}\n"
            )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


if __name__ == "__main__":
    main()
