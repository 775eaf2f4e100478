"""Chooses frames: which may be chosen, which are new, and which of these are the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.engine import library
from curation.engine.before import Pool, compare
from curation.engine.collapse import collapse
from curation.engine.greedy import View, blocks, k_center, to_distance
from curation.engine.strategies import beyond_thresholds, objectives
from curation.errors import RequestError, SelectionFailed
from curation.selection_support import check_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from curation.engine.before import Before
    from curation.engine.frames import Frames
    from curation.engine.greedy import Floats, Ints
    from curation.engine.strategies import Objectives
    from curation.selection_config import SelectionConfig

# Rows times choices times numbers a row that the library does in about 2.5 CPU-seconds
# (docs/engine-choice.md): 9,000 frames at 1280 numbers and 10 %. It is quadratic in the frames.
_LIBRARY_WORK = 10**10
# Frames that are left for each one to be chosen when the library has too many of them.
_LEFT_FOR_EACH = 3
_DISTANCE_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen frames.

    Attributes:
        indices: Which, in order of choice, shape (K,), int64; K may be 0 with a datapool.
        distances: Of each to the nearest that was chosen before it, in this run or in the datapool;
            2, the largest possible, if there was none. Shape (K,), float32.
        n_candidates: Frames that could be chosen.
        n_below_threshold: Frames that could not because of a threshold.
        n_known: Frames that could not because the datapool has their like.
        collapse_distance: 0 if all candidates took part in the last round; else each that did not
            was nearer than this to one that did.
    """

    indices: Ints
    distances: Floats
    n_candidates: int
    n_below_threshold: int
    n_known: int
    collapse_distance: float = 0.0


def choose_frames(
    frames: Frames,
    *,
    eligible: NDArray[np.bool_],
    config: SelectionConfig,
    pool: Pool | None = None,
    queries: Mapping[str, NDArray[np.float16]] | None = None,
    on_wait: Callable[[], None],
) -> Choice:
    """Chooses frames by a selection config.

    Thresholds come first, then what the datapool has already, then all other strategies together.
    The number to choose is that of the eligible frames; fewer are chosen when fewer are left.

    Args:
        frames: All N frames of the video.
        eligible: Which are not damaged, shape (N,), one or more.
        config: What to choose.
        pool: What was chosen before.
        queries: Embeddings of the datapools that SIMILARITY names, by name.
        on_wait: Called again and again. If it raises, the work ends and leaves nothing behind.

    Raises:
        RequestError: If the config asks for what the engine cannot do, or thresholds leave nothing.
        SelectionFailed: If a number of an eligible frame is not finite, or the library fails.
    """
    check_engine(config)
    able = _finite(frames, np.flatnonzero(eligible), on_wait)
    beyond = _beyond_thresholds(frames, able, config)
    candidates, before = _new(frames, beyond, pool or Pool(), on_wait)
    n, picked = min(config.n_of(len(able)), len(candidates)), _NOTHING
    if n:
        wanted = objectives(config, frames, candidates, queries=queries or {}, on_wait=on_wait)
        picked = _pick(View(frames.embeddings, candidates), wanted, n, before, on_wait)
    return Choice(
        candidates[picked.indices],
        picked.distances,
        n_candidates=len(candidates),
        n_below_threshold=len(able) - len(beyond),
        n_known=len(beyond) - len(candidates),
        collapse_distance=picked.gap,
    )


@dataclass(frozen=True, eq=False)
class _Picked:
    """Rows in order of choice, their distances, and what was given up before."""

    indices: Ints
    distances: Floats
    gap: float = 0.0


_NOTHING = _Picked(np.empty(0, np.int64), np.empty(0, np.float32))


def _new(
    frames: Frames, beyond: Ints, pool: Pool, on_wait: Callable[[], None]
) -> tuple[Ints, Before | None]:
    """Returns the frames whose like is not in the pool, and how they stand to it."""
    before = compare(View(frames.embeddings, beyond), pool, on_wait)
    if before is None:
        return beyond, None
    is_new = before.is_new(pool.distance)
    return beyond[is_new], before.take(is_new)


def _beyond_thresholds(frames: Frames, able: Ints, config: SelectionConfig) -> Ints:
    beyond = able[beyond_thresholds(config, frames)[able]]
    if not len(beyond):
        message = f"None of {len(able)} frames keeps the thresholds in selection_config. Ease them."
        raise RequestError(message, code="request:selection-config")
    return beyond


def _pick(
    rows: View, wanted: Objectives, n: int, before: Before | None, on_wait: Callable[[], None]
) -> _Picked:
    known = before.similarity if before else None
    is_much = len(rows) * n * rows.rows.shape[1] > _LIBRARY_WORK
    if is_much and wanted.is_plain:
        found = k_center(rows, n, known=known, min_distance=wanted.min_distance, on_wait=on_wait)
        return _Picked(*found)
    taking_part, gap = np.arange(len(rows)), 0.0
    if is_much and wanted.spreads and n * _LEFT_FOR_EACH < len(rows):
        score = wanted.score(len(rows))
        taking_part, gap = collapse(rows, n * _LEFT_FOR_EACH, score, on_wait)
    task = library.Task(
        rows=rows.take(taking_part),
        objectives=wanted.take(taking_part),
        chosen_before=before.take(taking_part).rows() if before else None,
        n=n,
    )
    indices = taking_part[library.choose(task, on_wait)]
    return _Picked(indices, _distances(rows.take(indices), known, indices, on_wait), gap)


def _distances(
    chosen: View, known: Floats | None, indices: Ints, on_wait: Callable[[], None]
) -> Floats:
    """Returns the distance of each chosen row to the nearest of those before it."""
    found = np.full(len(chosen), -1.0, np.float32) if known is None else known[indices]
    for part in blocks(len(chosen), _DISTANCE_BLOCK):
        on_wait()
        units = chosen.unit(part)
        for earlier in blocks(part.stop, _DISTANCE_BLOCK):
            similarity = units @ chosen.unit(earlier).T
            if earlier == part:
                similarity[np.triu_indices(len(units))] = -1.0
            np.maximum(found[part], similarity.max(axis=1), out=found[part])
    return to_distance(found)


def _finite(frames: Frames, able: Ints, on_wait: Callable[[], None]) -> Ints:
    for part in blocks(len(able)):
        on_wait()
        if not np.isfinite(frames.embeddings[able[part]]).all():
            # The library would take them without a word and choose nonsense.
            message = "An embedding has a value that is not finite. Report this video as a bug."
            raise SelectionFailed(message, code="engine:embeddings")
    return able
