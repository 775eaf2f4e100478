"""Messages in the ledger: each asked for once, and not too many of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ledger import keys
from curation.ledger.locks import is_due

if TYPE_CHECKING:
    from curation.ledger.store import Store
    from curation.states import Event

# Subject of a message that is about nothing but those that were held back.
DIGEST = "digest"


class NoticeLedger:
    """Which messages were asked for, and how many were let out.

    Args:
        store: The Redis connection.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, event: Event, subject: str) -> bool:
        """Whether nobody has asked for this message before."""
        return is_due(self._store, f"notice:{event}:{subject}", every_s=keys.WORK_TTL_S)

    def admit(self, event: Event, *, every_s: float) -> int | None:
        """Lets a message of this kind out, if the last one is long enough ago.

        Args:
            event: Its kind.
            every_s: Seconds between two of them.

        Returns:
            How many were held back since then; None if this one is to be held back too.
        """
        held: int = self._store.script(
            "admit_notice", [keys.NOTICES], [event, self._store.now(), every_s]
        )
        return None if held < 0 else held

    def overdue(self, event: Event, *, every_s: float) -> bool:
        """Whether messages of this kind were held back, and another may be let out now."""
        noted = self._store.hash_of(keys.NOTICES)
        let_out_at = float(noted.get(f"{event}:at", "0"))
        is_free = not 0 <= self._store.now() - let_out_at < every_s
        return is_free and int(noted.get(f"{event}:held", "0")) > 0
