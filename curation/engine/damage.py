"""Tells which frames of a video are damaged, and how much of it that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation.engine.frames import Frames

# Share of damaged frames above which a video is refused: what is left would say little about it.
MAX_DAMAGED_SHARE = 0.5
# Share of stray times above which the file's clock is wrong throughout, as that of files written
# without presentation times is; the frames may be whole.
_MAX_STRAY_SHARE = 0.05


@dataclass(frozen=True)
class Damage:
    """What is wrong with a video of which N frames were decoded.

    Attributes:
        mask: Whether a frame is damaged, shape (N,), bool. It must not be chosen.
        n_damaged: How many are.
        n_missing: Frames that the file says it has and that did not come out. A cut in the file
            (an "edit list") leaves frames out, too, so this alone proves no damage.
        ranges_s: Times of the first and the last frame of each damaged stretch, in seconds.
    """

    mask: NDArray[np.bool_]
    n_damaged: int
    n_missing: int
    ranges_s: list[tuple[float, float]]


def find_damage(
    frames: Frames,
    *,
    n_frames_declared: int | None,
    name: str,
    max_share: float = MAX_DAMAGED_SHARE,
) -> Damage:
    """Finds the damaged frames of a whole video.

    Args:
        frames: All its frames.
        n_frames_declared: What the file says.
        name: The video's file name, for the error.
        max_share: Share of damaged frames up to which the rest is used, 0 to 1.

    Raises:
        RequestError: If more than that is damaged, or all.
    """
    mask = damaged(is_key=frames.is_key, is_corrupt=frames.is_corrupt, n_errors=frames.n_errors)
    mask |= strayed(frames.timestamps_s)
    n_frames, n_damaged = len(mask), int(mask.sum())
    if n_damaged and (n_damaged == n_frames or n_damaged > max_share * n_frames):
        message = (
            f"{n_damaged} of {n_frames} frames of {name!r} are damaged; up to {max_share:.0%} are "
            "accepted, if any is whole. Send the file again."
        )
        raise RequestError(message, code="source:corrupt")
    n_missing = max(0, (n_frames_declared or 0) - n_frames)
    return Damage(mask, n_damaged, n_missing, _ranges_s(mask, frames.timestamps_s))


def damaged(
    *, is_key: NDArray[np.bool_], is_corrupt: NDArray[np.bool_], n_errors: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Marks the frames from each first sign of damage to the next keyframe without one.

    A decoder flags the picture that it had to mend, but not those that are made from it.

    Args:
        is_key: Whether a frame is a keyframe, shape (N,).
        is_corrupt: Whether its picture is flagged, shape (N,).
        n_errors: Signs of damage up to it, as `DecodedFrame` counts them, shape (N,).

    Returns:
        Shape (N,), bool.
    """
    is_sign = is_corrupt | (n_errors > 0)
    # Frames of a group of pictures have the number of keyframes up to them in common.
    group = np.cumsum(is_key)
    n_signs = np.cumsum(is_sign)
    before = np.concatenate([[0], n_signs[:-1]])
    first_of_group = np.searchsorted(group, group)
    result: NDArray[np.bool_] = n_signs > before[first_of_group]
    return result


def strayed(timestamps_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Marks single frames whose time is not between those beside them, which go on without it.

    Args:
        timestamps_s: Times of the frames in the order in which they are shown, shape (N,).

    Returns:
        Shape (N,), bool.
    """
    before, at, after = timestamps_s[:-2], timestamps_s[1:-1], timestamps_s[2:]
    result = np.zeros(len(timestamps_s), np.bool_)
    result[1:-1] = (before < after) & ((at <= before) | (at >= after))
    if result.sum() > _MAX_STRAY_SHARE * len(result):
        result[:] = False
    return result


def _ranges_s(
    mask: NDArray[np.bool_], timestamps_s: NDArray[np.float64]
) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [
        (float(timestamps_s[start]), float(timestamps_s[end - 1]))
        for start, end in edges.reshape(-1, 2)
    ]
