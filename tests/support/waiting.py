"""Waiting for what other processes do, without a fixed pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(ask: Callable[[], T | None], *, limit_s: float = 90.0, every_s: float = 0.02) -> T:
    """Returns the first true answer, asking again and again, with a pause in between.

    Raises:
        TimeoutError: If none has come within `limit_s`.
    """
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if answer := ask():
            return answer
        time.sleep(every_s)
    message = f"Nothing came of {ask} within {limit_s:g} s."
    raise TimeoutError(message)
