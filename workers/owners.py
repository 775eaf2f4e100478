"""Names of deliveries, which tell whoever meets them whether the process behind one has died."""

from __future__ import annotations

import contextlib
import os
import uuid
from functools import cache
from pathlib import Path


def new_owner() -> str:
    """Returns a name for a delivery that this process works on."""
    return f"{_place()}:{os.getpid()}:{uuid.uuid4().hex}"


def is_dead(owner: str) -> bool:
    """Whether the process of a delivery has died for certain.

    Only a process of this boot and of this table of processes can be known to have died; one that
    is frozen lives. A number that was given out again looks alive, which costs a wait and no more.
    """
    place, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if not place or place != _place() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    return False


@cache
def _place() -> str:
    """Returns what is the same for all who see the same processes; empty where that is not told."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    return ""
