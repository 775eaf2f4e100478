"""The engine's task: select the frames of one run's video and write them, with signs of life."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from curation.errors import CurationError, RunEnded, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ledger.engine import EngineLedger
    from curation.models import Run
    from curation.ports import FrameSelector, Objects

log = logging.getLogger(__name__)

# Signs of life in the time after which their absence means death.
_BEATS_PER_SILENCE = 6


def select_frames(
    run: Run,
    *,
    selector: FrameSelector,
    objects: Objects,
    tasks: EngineLedger,
    results_uri: str,
    silent_s: float,
) -> None:
    """Takes the run's engine task, if it is to be had, and carries it to its end.

    Args:
        run: The run, with its verified video.
        selector: The engine.
        objects: Where the video is and the results go.
        tasks: The ledger of engine tasks.
        results_uri: `s3://bucket/prefix/` under which the run's results go.
        silent_s: Seconds without a sign of life after which others take the task over.
    """
    generation = tasks.take(run.run_id, silent_s=silent_s)
    if not generation or run.outcome:
        return
    work = _Work(run, tasks, generation, beat_s=silent_s / _BEATS_PER_SILENCE)
    try:
        with work.heartbeat():
            _select(run, selector, objects, work, f"{results_uri}{run.run_id}/")
    except RunEnded as error:
        log.info("Engine task given up: %s", error, extra=run.log_context())
    except TransientError as error:
        # No end is written: the silence brings another delivery, which tries again.
        log.warning("Engine task interrupted: %s", error, extra=run.log_context())
    except Exception as error:
        _record_failure(work, error)
        if not isinstance(error, CurationError):
            raise


class _Work:
    """One generation's work on an engine task."""

    def __init__(self, run: Run, tasks: EngineLedger, generation: int, *, beat_s: float) -> None:
        self.run = run
        self._tasks = tasks
        self._generation = generation
        self._beat_s = beat_s
        self._over = threading.Event()
        self._taken_away: RunEnded | None = None

    @contextlib.contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Gives signs of life from a thread of its own, as long as the block runs."""
        thread = threading.Thread(target=self._beat_until_over, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def progress(self, state: str, n_done: int, n_frames: int | None) -> None:
        """Writes how far the work is.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        if self._taken_away:
            raise self._taken_away
        self._tasks.beat(
            self.run.run_id, self._generation, state=state, n_done=n_done, n_frames=n_frames
        )

    def end(self, **facts: str | int | None) -> None:
        """Writes how the task ended."""
        self._tasks.end(self.run.run_id, self._generation, **facts)

    def _beat_until_over(self) -> None:
        while not self._over.wait(self._beat_s):
            try:
                self._tasks.beat(self.run.run_id, self._generation)
            except RunEnded as error:
                self._taken_away = error
                return
            except CurationError as error:
                log.warning("No sign of life could be given: %s", error)


def _select(run: Run, selector: FrameSelector, objects: Objects, work: _Work, prefix: str) -> None:
    video = run.video
    if video is None:
        raise RunEnded(f"Run {run.run_id} has no verified video.")
    work.progress("LOADING_DATASET", 0, None)

    def write(name: str, data: bytes, content_type: str) -> None:
        objects.put(f"{prefix}{name}", data, content_type=content_type)

    selection = selector.select(
        lambda: objects.open(video.uri),
        name=video.uri.rpartition("/")[2],
        run_id=run.run_id,
        video_uri=video.uri,
        sha256=video.sha256,
        proportion=run.request.proportion_samples,
        write=write,
        progress=work.progress,
    )
    work.end(
        state="COMPLETED",
        n_frames=selection.n_frames,
        n_selected=len(selection.filenames),
        filenames_uri=f"{prefix}selected.txt",
    )


def _record_failure(work: _Work, error: Exception) -> None:
    known = isinstance(error, CurationError)
    code = error.code if isinstance(error, CurationError) else "engine:crashed"
    message = str(error) if known else f"The engine failed with {type(error).__name__}: {error}"
    with contextlib.suppress(RunEnded):
        work.end(state="FAILED", code=code, message=message)
