"""One part of an engine task while it is done: signs of life, progress, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import CurationError, OperatorError, RunEnded, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curation.ledger.engine import EngineLedger
    from curation.models import Run

log = logging.getLogger(__name__)

# Signs of life in the time after which their absence means death.
_BEATS_PER_SILENCE = 6
# Deliveries that may die in one part before the run fails: a poison segment never ends by itself.
_MOST_DEATHS = 5


@dataclass(frozen=True)
class Part:
    """Which part of which engine task.

    Attributes:
        run: The run.
        generation: The generation that published the part.
        name: `plan`, `choice`, or the number of a segment.
    """

    run: Run
    generation: int
    name: str


def carry_out(
    part: Part,
    work: Callable[[PartAtWork], None],
    *,
    tasks: EngineLedger,
    silent_s: float,
    take: bool = False,
) -> None:
    """Does a part, if the ledger lets it in; whatever goes wrong with the video is written down.

    Args:
        part: The part.
        work: Does it.
        tasks: The ledger of engine tasks.
        silent_s: Seconds without a sign of life after which others take the task over.
        take: Whether the part belongs to one delivery alone, which becomes a new generation.

    Raises:
        TransientError: If it may go well later. No end is written.
    """
    run_id, context = part.run.run_id, part.run.log_context() | {"part": part.name}
    try:
        begun = tasks.begin(run_id, part.generation, part.name, take=take)
        if not begun.generation:
            return
        at_work = PartAtWork(run_id, part.name, begun.generation, tasks)
        with _recorded(at_work):
            if begun.deaths >= _MOST_DEATHS:
                raise _deadly(part, begun.deaths)
            with at_work.heartbeat(every_s=silent_s / _BEATS_PER_SILENCE):
                work(at_work)
    except RunEnded as error:
        log.info("Engine task given up: %s", error, extra=context)
    except TransientError as error:
        log.warning("Engine task interrupted: %s", error, extra=context)
        raise


class PartAtWork:
    """One delivery's work on a part.

    Attributes:
        generation: The generation that works.
        n_done: Frames embedded so far.
    """

    def __init__(self, run_id: str, name: str, generation: int, tasks: EngineLedger) -> None:
        self.generation = generation
        self.n_done = 0
        self._run_id = run_id
        self._name = name
        self._tasks = tasks
        self._over = threading.Event()
        self._taken_away: RunEnded | None = None

    @contextlib.contextmanager
    def heartbeat(self, *, every_s: float) -> Iterator[None]:
        """Gives signs of life from a thread of its own, as long as the block runs."""
        thread = threading.Thread(target=self._beat_until_over, args=(every_s,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def progress(self, state: str, n_done: int | None, n_frames: int | None) -> None:
        """Writes how far the work is; a segment writes only its own count.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        if self._taken_away:
            raise self._taken_away
        self.n_done = n_done or self.n_done
        if self._name.isdecimal():
            self._tasks.count(self._run_id, self.generation, int(self._name), self.n_done)
            return
        self._tasks.beat(
            self._run_id, self.generation, state=state, n_done=n_done, n_frames=n_frames
        )

    def finish(self) -> None:
        """Writes that the segment is done.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        self._tasks.count(self._run_id, self.generation, int(self._name), self.n_done, is_end=True)

    def leave(self) -> None:
        """Notes that the delivery lives, although the part has not come to its end."""
        self._tasks.leave(self._run_id, self._name)

    def end(self, **facts: str | int | None) -> None:
        """Writes how the whole task ended.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        self._tasks.end(self._run_id, self.generation, **facts)

    def _beat_until_over(self, every_s: float) -> None:
        while not self._over.wait(every_s):
            try:
                self._tasks.beat(self._run_id, self.generation)
            except RunEnded as error:
                self._taken_away = error
                return
            except CurationError as error:
                log.warning("No sign of life could be given: %s", error)


@contextlib.contextmanager
def _recorded(work: PartAtWork) -> Iterator[None]:
    """Writes the failure of a part as the end of the whole task."""
    try:
        yield
    except (RunEnded, TransientError):
        work.leave()
        raise
    except CurationError as error:
        work.end(state="FAILED", code=error.code, message=error.message)
    except Exception as error:
        message = f"The engine failed with {type(error).__name__}: {error}"
        work.end(state="FAILED", code="engine:crashed", message=message)
        raise
    else:
        work.leave()


def _deadly(part: Part, deaths: int) -> OperatorError:
    what = f"segment {part.name}" if part.name.isdecimal() else f"its {part.name}"
    return OperatorError(
        f"{deaths} engine workers died while they worked on {what} of the video. "
        "See their logs; the usual reason is too little memory.",
        code="worker:lost",
    )
