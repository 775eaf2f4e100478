"""Waiting for what other processes do, without a fixed pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(ask: Callable[[], T | None], *, limit_s: float = 90.0) -> T:
    """Returns the first true answer, asking again and again.

    Raises:
        TimeoutError: If none has come within `limit_s`.
    """
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if answer := ask():
            return answer
        time.sleep(0.02)
    message = f"Nothing came of {ask} within {limit_s:g} s."
    raise TimeoutError(message)
