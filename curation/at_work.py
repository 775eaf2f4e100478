"""What this process works on right now, so that every line it logs can say so."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_own: ContextVar[Mapping[str, str] | None] = ContextVar("at_work", default=None)
_all: dict[str, Mapping[str, str]] = {}


def begin(work_id: str, facts: Mapping[str, str]) -> None:
    """Notes what this thread begins to work on.

    Args:
        work_id: Unique name of the work, for `end`.
        facts: What its lines are to say, for example `run_id`.
    """
    _own.set(facts)
    _all[work_id] = facts


def end(work_id: str) -> None:
    """Notes that this thread's work is done."""
    _own.set(None)
    _all.pop(work_id, None)


def facts() -> Mapping[str, str]:
    """Returns what this thread works on; empty if nothing."""
    own = _own.get()
    if own is not None:
        return own
    # A library's thread has not been told. It can only be helping the one work that goes on, and
    # the main thread is nobody's helper: it may be looking after the broker.
    everything = list(_all.values())
    helps = len(everything) == 1 and threading.current_thread() is not threading.main_thread()
    return everything[0] if helps else {}
