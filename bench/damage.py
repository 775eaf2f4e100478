"""Measures how well damaged frames are found, against a pixel comparison with the clean copy.

Usage: python -m bench.damage [FIRST_SEED]. Other seeds damage other places.
"""

from __future__ import annotations

import io
import random
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bench.frames import choose
from bench.media import joined_clip
from curation.engine.damage import MAX_DAMAGED_SHARE, damaged, strayed
from curation.engine.decode import open_video
from curation.engine.embedders.features import FeatureEmbedder
from curation.errors import RequestError
from curation.selection_config import diverse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
_N_SEEDS = 3
_PROPORTION = 0.1
# A frame is visibly damaged if this share of its pixels is off by more than so many of 255.
_VISIBLE_SHARE = 0.01
_VISIBLE_STEP = 16


@dataclass
class Count:
    """Frames of all copies with the same kind of damage.

    Attributes:
        frames: Frames that came out.
        visible: Those that are visibly damaged.
        found: Visibly damaged ones that are marked.
        marked: All that are marked.
        flagged: Visibly damaged ones that the decoder's flag alone marks.
        chosen: Frames that a run chooses, a tenth by diversity.
        chosen_visible: Those of them that are visibly damaged.
        refused: Copies that end in an error, mostly because more than half is damaged.
    """

    frames: int = 0
    visible: int = 0
    found: int = 0
    marked: int = 0
    flagged: int = 0
    chosen: int = 0
    chosen_visible: int = 0
    refused: int = 0


@dataclass
class _Decoded:
    times: list[float] = field(default_factory=list)
    greys: list[Grey] = field(default_factory=list)
    signs: list[tuple[bool, bool, int]] = field(default_factory=list)
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def flags(self) -> NDArray[np.bool_]:
        return np.array([is_corrupt for _, is_corrupt, _ in self.signs], np.bool_)

    @property
    def mask(self) -> NDArray[np.bool_]:
        is_key, is_corrupt, n_errors = np.array(self.signs, np.int32).reshape(-1, 3).T
        spread = damaged(is_key=is_key > 0, is_corrupt=is_corrupt > 0, n_errors=n_errors)
        return spread | strayed(np.array(self.times))


def measure(content: bytes, damages: Callable[[bytes, int], bytes], seeds: range) -> Count:
    """Damages copies of a clip and counts what is found."""
    whole = _decode(content)
    clean = dict(zip(whole.times, whole.greys, strict=True))
    count = Count()
    for seed in seeds:
        try:
            copy = _decode(damages(content, seed))
        except RequestError:
            count.refused += 1
            continue
        _add(count, clean, copy)
    return count


def _add(count: Count, clean: Mapping[float, Grey], copy: _Decoded) -> None:
    mask, flags = copy.mask, copy.flags
    shown = zip(copy.times, copy.greys, strict=True)
    visible = np.array(
        [time not in clean or _differs(grey, clean[time]) for time, grey in shown], np.bool_
    )
    count.frames += len(mask)
    count.visible += int(visible.sum())
    count.found += int((visible & mask).sum())
    count.marked += int(mask.sum())
    count.flagged += int((visible & flags).sum())
    if not len(mask) or mask.all() or mask.mean() > MAX_DAMAGED_SHARE:
        count.refused += 1
        return
    eligible = np.flatnonzero(~mask)
    chosen = eligible[choose(np.array(copy.embeddings)[eligible], diverse(_PROPORTION))]
    count.chosen += len(chosen)
    count.chosen_visible += int(visible[chosen].sum())


def _decode(content: bytes) -> _Decoded:
    embedder, decoded = FeatureEmbedder(), _Decoded()
    with open_video(io.BytesIO(content), name="clip") as video:
        for frame in video.frames():
            small = video.pixels(frame, size=embedder.size)
            decoded.times.append(frame.timestamp_s)
            decoded.greys.append(np.asarray(frame.picture.to_ndarray(format="gray"), np.uint8))
            decoded.signs.append((frame.is_key, frame.is_corrupt, frame.n_errors))
            decoded.embeddings.append(embedder.embed(small))
    return decoded


def _differs(grey: Grey, clean: Grey) -> bool:
    off = np.abs(grey.astype(np.int16) - clean) > _VISIBLE_STEP
    return bool(off.mean() >= _VISIBLE_SHARE)


def _flipped(content: bytes, seed: int, *, n_bits: int) -> bytes:
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    copy = bytearray(content)
    for _ in range(n_bits):
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
    return content[: len(content) * (3 + seed % 3) // 10]


def _media(content: bytes) -> tuple[int, int]:
    """Returns the part of a file that is pictures, not headers."""
    start = max(content.find(b"mdat") + 8, 2_000)
    end = content.find(b"moov", start)
    return start, end if end > 0 else len(content) - 2_000


_DAMAGES: dict[str, Callable[[bytes, int], bytes]] = {
    "5 flips": partial(_flipped, n_bits=5),
    "20 flips": partial(_flipped, n_bits=20),
    "zeroed ranges": _zeroed,
    "truncated": _truncated,
}


def main() -> None:
    """Prints one line for each container and kind of damage."""
    first_seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    seeds = range(first_seed, first_seed + _N_SEEDS)
    for label, (name, codec, options) in _COPIES.items():
        content = joined_clip(name, codec, _N_FRAMES, _SIZE, options)
        for kind, damages in _DAMAGES.items():
            sys.stdout.write(f"{label}, {kind}: {_line(measure(content, damages, seeds))}\n")
            sys.stdout.flush()


def _line(count: Count) -> str:
    whole = count.frames - count.marked
    return (
        f"{count.frames} frames, {count.visible} visibly damaged, "
        f"recall {_share(count.found, count.visible)}, "
        f"precision {_share(count.found, count.marked)}, "
        f"damaged among the eligible {count.visible - count.found} of {whole}, "
        f"among the chosen {count.chosen_visible} of {count.chosen}, "
        f"flag alone: recall {_share(count.flagged, count.visible)}; refused {count.refused}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


if __name__ == "__main__":
    main()
