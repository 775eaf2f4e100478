"""Reads how long a server wants to be left alone."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime


def retry_after_s(text: str) -> float | None:
    """Returns the seconds that a `Retry-After` header asks for, or None if it cannot be read.

    Args:
        text: Seconds or a date (RFC 9110, 10.2.3).
    """
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
