"""Steps in the ledger: one delivery at a time works on a step, and late ones are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from curation.errors import RunEnded
from curation.ledger import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.store import Store
    from curation.states import RunState, StepName, StepState

# How long a delivery holds its step without renewal. A killed one blocks the step for this long;
# a living one whose call hangs for longer may get a twin, which every step must bear.
HOLD_S = 20.0
# Code of the RunEnded by which a delivery learns that it is not the one that goes on.
TAKEN_OVER = "step:taken-over"


class Admission(StrEnum):
    """Whether a delivery may work on its step."""

    GO = "go"  # the step is yours
    DONE = "done"  # the step has ended; nothing to do
    ENDED = "ended"  # the run has its outcome; give up
    BUSY = "busy"  # another delivery is at it right now; look again later
    STALE = "stale"  # a newer message of this step exists; drop this one
    GONE = "gone"  # the ledger does not know the run (it was wiped, or retention is over)


@dataclass(frozen=True)
class Turn:
    """One delivery's claim on one step.

    Attributes:
        run_id: The run.
        step: The step.
        owner: Unique name of this delivery.
        number: How often the step's message was sent again before.
    """

    run_id: str
    step: StepName
    owner: str
    number: int


class StepLedger:
    """Who works on which step of a run.

    A step's messages are numbered by Celery's own retry counter. The ledger keeps the highest
    number sent; a delivery with a lower one is a copy and is dropped. So copies never multiply,
    and whoever revives a step sends it with the number that the ledger has.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(
        self,
        turn: Turn,
        *,
        implies: RunState | None,
        after_outcome: bool,
        is_dead: Callable[[str], bool] = lambda _: False,
    ) -> tuple[Admission, float]:
        """Asks to work on the step.

        Args:
            turn: The delivery.
            implies: State that the run moves to when it is not yet there.
            after_outcome: Whether the step has work to do when the run has its outcome.
            is_dead: Whether the delivery of that name has died for certain; its hold is then over.

        Returns:
            The answer; with `BUSY` the seconds after which to ask again, with `GO` the number of
            deliveries that died while they worked on the step.
        """
        asked: list[str | float] = [turn.step, turn.number, turn.owner, HOLD_S]
        asked += [implies or "", int(after_outcome)]

        def ask(dead: str) -> list[str]:
            touched = [keys.run_key(turn.run_id), keys.COUNTERS]
            answer: list[str] = self._store.script(
                "begin_step", touched, [self._store.now(), *asked, dead]
            )
            return answer

        answer = ask("")
        if answer[0] == Admission.BUSY and is_dead(answer[2]):
            answer = ask(answer[2])
        return Admission(answer[0]), float(answer[1]) if len(answer) > 1 else 0.0

    def hold(self, turn: Turn, *, after_outcome: bool = False) -> None:
        """Renews the claim while work goes on.

        Raises:
            RunEnded: If the run has its outcome; with the code `TAKEN_OVER` if it has none, but
                another delivery has taken the step over, whose work must be left alone.
        """
        answer: str = self._store.script(
            "hold_step",
            [keys.run_key(turn.run_id)],
            [self._store.now(), turn.step, turn.owner, HOLD_S],
        )
        if answer == "lost":
            raise RunEnded(f"{turn.step} of {turn.run_id} has another delivery.", TAKEN_OVER)
        if answer == "ended" and not after_outcome:
            raise RunEnded(f"Run {turn.run_id} has its outcome.")

    def leave(
        self,
        turn: Turn,
        state: StepState,
        *,
        next_number: int | None = None,
        due_s: float = 0.0,
        problem: str = "",
    ) -> bool:
        """Ends this delivery's work; False if another delivery has taken the step over.

        Args:
            turn: The delivery.
            state: What the step is now.
            next_number: Number of the message that goes on with the step, if one was sent.
            due_s: Seconds until that message is due.
            problem: Why the try failed, if it did and another one follows.
        """
        counts = "attempts" if problem else "looks"
        left: int = self._store.script(
            "leave_step",
            [keys.run_key(turn.run_id), keys.COUNTERS],
            [
                self._store.now(),
                turn.step,
                turn.owner,
                state,
                "" if next_number is None else next_number,
                "" if next_number is None else counts,
                due_s,
                problem,
            ],
        )
        return bool(left)

    def number(self, run_id: str, step: StepName) -> int:
        """Returns the number that a message must have to be let in."""
        return int(self._store.hash_of(keys.run_key(run_id)).get(f"{step}.turn", "0"))
