"""Carries checks out, all at once and with one limit of time; whatever they raise is a finding."""

from __future__ import annotations

import re
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from curation.doctor.check import Finding, Health, NotChecked
from curation.errors import CurationError, TransientError
from curation.ledger.store import LedgerUnavailable
from curation.settings import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from curation.doctor.check import Check

Arrived: TypeAlias = "SimpleQueue[tuple[str, Finding | None]]"

# Name of the check that many others need.
REDIS = "redis"
# What a run does about a passing trouble; the doctor only looks.
_PROMISE = re.compile(r"[;.] [Ii]t is tried again\b")
# Our messages first say what happened, then what to do.
_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=[A-Z])")


def examine(
    checks: Sequence[Check], *, limit_s: float, tell: Callable[[Finding], None]
) -> list[Finding]:
    """Carries all checks out at the same time.

    Args:
        checks: What to look at.
        limit_s: Seconds after which nobody is waited for any more.
        tell: Told of each finding as it comes.

    Returns:
        The findings in the order of the checks, without those of checks that are not needed.
    """
    arrived: Arrived = SimpleQueue()
    for check in checks:
        # Daemons, because a call that hangs must not keep the process from ending.
        threading.Thread(target=_carry_out, args=(check, arrived), daemon=True).start()
    findings: dict[str, Finding | None] = {}
    for name, finding in _within(limit_s, arrived, n=len(checks)):
        findings[name] = finding
        if finding:
            tell(finding)
    silent = {check.name for check in checks} - set(findings)
    found = (
        _silence(check, limit_s, silent) if check.name in silent else findings[check.name]
        for check in checks
    )
    return [finding for finding in found if finding]


def sentences(message: str) -> tuple[str, str]:
    """Returns the first sentence of an error's message, and what follows it."""
    first, *rest = _SENTENCE_END.split(message, maxsplit=1)
    return first, " ".join(rest)


def _carry_out(check: Check, arrived: Arrived) -> None:
    arrived.put((check.name, _finding(check)))


def _within(limit_s: float, arrived: Arrived, *, n: int) -> Iterator[tuple[str, Finding | None]]:
    until = time.monotonic() + limit_s
    for _ in range(n):
        try:
            yield arrived.get(timeout=max(until - time.monotonic(), 0.0))
        except Empty:
            return


def _finding(check: Check) -> Finding | None:
    try:
        answer = check.look()
    except NotChecked as error:
        return _not_checked(check, str(error))
    except CurationError as error:
        return _failed(check, error)
    except Exception as error:  # noqa: BLE001  # a bug in one check must not hide the others
        # Only the type: the text of an unknown error may hold anything, a token too.
        found = f"The check itself failed with {type(error).__name__}."
        return Finding(name=check.name, state=check.worst, found=found, mend="Please report it.")
    if answer is None:
        return None
    return Finding(name=check.name, state=answer.state, found=answer.found, mend=answer.mend)


def _failed(check: Check, error: CurationError) -> Finding:
    if error.code == INVALID:  # its message begins with the variable
        return _not_checked(check, f"setting {error.message.split()[0].rstrip(':')}")
    if isinstance(error, LedgerUnavailable) and check.name != REDIS:
        return _not_checked(check, REDIS)
    found, advice = sentences(_PROMISE.sub("", error.message))
    mend = advice or check.hint
    if isinstance(error, TransientError):  # a run would wait, so its message has no advice
        mend = f"Look again, and if it stays so: {check.hint}"
    return Finding(name=check.name, state=check.worst, found=found, mend=mend)


def _not_checked(check: Check, because_of: str) -> Finding:
    return Finding(
        name=check.name,
        state=Health.WARN,
        found="Not checked.",
        mend=f"Mend {because_of!r} first.",
    )


def _silence(check: Check, limit_s: float, silent: Collection[str]) -> Finding:
    if check.needs in silent:
        return _not_checked(check, check.needs)
    found = f"No answer within {limit_s:g} s."
    return Finding(name=check.name, state=check.worst, found=found, mend=check.hint)
