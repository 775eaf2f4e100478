"""Locks in the ledger: one at a time, across processes and machines, and over by themselves."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curation.ledger import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ledger.store import Store


@contextmanager
def locked(store: Store, name: str, *, hold_s: float) -> Iterator[str]:
    """Keeps others out while the block runs, if nobody else is in.

    Args:
        store: The Redis connection.
        name: What one may do at a time.
        hold_s: Seconds after which the lock is over, because its holder has died.

    Yields:
        The caller's name as the lock's owner; empty if the lock is somebody else's, and the block
        must leave the work alone.
    """
    owner = uuid.uuid4().hex
    claimed = _claim(store, name, owner, hold_s)
    try:
        yield owner if claimed else ""
    finally:
        if claimed:
            store.script("free_lock", [keys.lock_key(name)], [owner])


def is_due(store: Store, name: str, *, every_s: float) -> bool:
    """Whether something is to be done again; one caller hears so in `every_s` seconds."""
    return _claim(store, name, uuid.uuid4().hex, every_s)


def _claim(store: Store, name: str, owner: str, hold_s: float) -> bool:
    claimed: int = store.script(
        "claim_lock", [keys.lock_key(name)], [store.now(), owner, hold_s, keys.WORK_TTL_S]
    )
    return bool(claimed)
