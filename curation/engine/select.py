"""Chooses the frames that are most diverse by embedding."""

from __future__ import annotations

import sys
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from subprocess import PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.packages import explained
from curation.errors import RequestError, SelectionFailed

with explained():
    from curation.engine import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Seconds between two calls of `on_wait`.
_WAIT_S = 0.5


def n_to_select(n_frames: int, proportion: float) -> int:
    """Returns max(1, n_frames * proportion), rounded half up: 250 frames at 0.1 give 25."""
    # In decimal, because 0.29 * 50 is a little less than 14.5 in binary.
    exact = n_frames * Decimal(str(proportion))
    return max(1, int(exact.to_integral_value(ROUND_HALF_UP)))


def select_frames(
    embeddings: NDArray[np.float32], proportion: float, *, on_wait: Callable[[], None]
) -> NDArray[np.int64]:
    """Chooses the frames that are most diverse by embedding.

    N is the number of frames, D the embedding size, K = n_to_select(N, proportion). A larger
    proportion chooses the same frames first.

    Args:
        embeddings: Array of shape (N, D), float32, rows L2-normalised.
        proportion: Share of frames to keep, 0 < proportion <= 1.
        on_wait: Called again and again while the choice is made. If it raises, the work ends.

    Returns:
        Indices of the chosen frames in order of choice, shape (K,), int64.

    Raises:
        RequestError: If `embeddings` is empty or `proportion` is out of range.
        SelectionFailed: If an embedding is not finite, or the choice was not made.
    """
    _check(embeddings, proportion)
    n_frames, n = len(embeddings), n_to_select(len(embeddings), proportion)
    indices = np.array(_choose(embeddings, n, on_wait).split(), np.int64)
    # The library returns duplicates rather than an error when it is asked for too many.
    if len(indices) != n or len(np.intersect1d(indices, np.arange(n_frames))) != n:
        message = f"Of {n_frames} frames {n} were to be chosen, but the library chose {indices}."
        raise SelectionFailed(message, code="engine:selection")
    return indices


def _check(embeddings: NDArray[np.float32], proportion: float) -> None:
    if not 0 < proportion <= 1:
        message = f"proportion_samples is {proportion}. Give a share above 0, up to 1."
        raise RequestError(message, code="request:proportion")
    if embeddings.ndim != 2 or embeddings.size == 0:  # noqa: PLR2004  # rows and columns
        message = f"There is nothing to select from: the embeddings have shape {embeddings.shape}."
        raise RequestError(message, code="source:no-frames")
    if not np.isfinite(embeddings).all():
        # The library would take them without a word and choose nonsense.
        message = "An embedding has a value that is not finite. Report this video as a bug."
        raise SelectionFailed(message, code="engine:embeddings")


def _choose(embeddings: NDArray[np.float32], n: int, on_wait: Callable[[], None]) -> bytes:
    # In a process of its own, because the library never releases the GIL: a heartbeat in another
    # thread stood still for all of its work (16 CPU-seconds for 18,000 frames).
    # -P, because this folder has a `select.py`, as the standard library does.
    command = [sys.executable, "-P", choose.__file__, str(len(embeddings)), str(n)]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:  # noqa: S603  # all ours
        try:
            output, errors = _talk(process, embeddings, on_wait)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[-1]
        message = f"The selection process ended with code {process.returncode}: {last or 'killed'}."
        raise SelectionFailed(message, code="engine:selection")
    return output


def _talk(
    process: Popen[bytes], embeddings: NDArray[np.float32], on_wait: Callable[[], None]
) -> tuple[bytes, bytes]:
    if process.stdin:
        with suppress(BrokenPipeError):  # it has died, and its exit code will say why
            process.stdin.write(np.ascontiguousarray(embeddings, np.float32).data)
    while True:
        on_wait()
        with suppress(TimeoutExpired):
            return process.communicate(timeout=_WAIT_S)
