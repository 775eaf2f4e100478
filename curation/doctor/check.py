"""What a check is, and what it finds: a state, what was found, and what to do about it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from curation.models import Record

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"  # runs may go well as it is
    FAIL = "fail"  # a run will fail, or leave something behind


class Finding(Record):
    """What a check found, for people and programs: a line of `curate doctor`."""

    name: str
    state: Health
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a look found, before it has a name."""

    state: Health
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: What it is, in two or three words.
        look: Looks at it; None if these settings do not need it. It may raise whatever an adapter
            raises: that is the finding.
        hint: What to do when nothing answers.
        worst: State of the finding when the look fails.
        needs: Name of the check without whose subject this one cannot be made.
    """

    name: str
    look: Callable[[], Answer | None]
    hint: str
    worst: Health = Health.FAIL
    needs: str = ""


class NotChecked(Exception):  # noqa: N818  # what is the case, not what went wrong
    """Raised by a look that needs what another check has found wanting; names that finding."""


class Once(Generic[T]):
    """Computes something once, for whichever thread asks first; the others wait for it."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._lock = Lock()
        self._result: Future[T] = Future()

    def __call__(self) -> T:
        """Returns the result, or raises what was raised."""
        with self._lock:
            if not self._result.done():
                self._run()
        return self._result.result()

    def _run(self) -> None:
        try:
            self._result.set_result(self._compute())
        except Exception as error:  # noqa: BLE001  # raised again for whoever asks
            self._result.set_exception(error)


def ok(found: str) -> Answer:
    """Returns the answer that all is well."""
    return Answer(Health.OK, found)


def warn(found: str, mend: str) -> Answer:
    """Returns the answer that something may go wrong, and what to do."""
    return Answer(Health.WARN, found, mend)


def fail(found: str, mend: str) -> Answer:
    """Returns the answer that something is wrong, and what to do."""
    return Answer(Health.FAIL, found, mend)
