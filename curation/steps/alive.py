"""Keeps the claim on a step alive while the bytes of a video come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# The claim on the step is renewed while bytes come, not only when a part is up: a part may take
# longer on a slow line than the claim lasts.
KEEP_ALIVE_EVERY_S = 3.0


def alive(chunks: Iterable[bytes], keep_alive: Callable[[], None]) -> Iterator[bytes]:
    """Passes chunks on and renews the claim on the step now and then."""
    renewed_at = time.monotonic()
    for chunk in chunks:
        yield chunk
        if time.monotonic() - renewed_at > KEEP_ALIVE_EVERY_S:
            keep_alive()
            renewed_at = time.monotonic()
