"""Which content is curated already: the latest completed run by sha256 and selection request."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from curation.errors import RunUnknown
from curation.ledger import keys
from curation.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.store import Store
    from curation.models import Request, Run


class CuratedIndex:
    """Finds the run that had the same video and the same wish.

    Args:
        store: The Redis connection.
        retention_s: Seconds for which a run's content is remembered.
    """

    def __init__(self, store: Store, *, retention_s: int) -> None:
        self._store = store
        self._retention_s = retention_s

    def note(self, run: Run) -> None:
        """Remembers a completed run's content; a run that was skipped itself has none of its own.

        Args:
            run: The run in its end state.
        """
        if run.state is RunState.COMPLETED and run.video and not run.same_as:
            key = keys.curated_key(content_id(run.video.sha256, run.request))
            self._store.set_value(key, run.run_id, ttl_s=self._retention_s)

    def find(self, sha256: str, request: Request, find_run: Callable[[str], Run]) -> Run | None:
        """Returns the completed run that has curated this, or None.

        Args:
            sha256: Of the whole video, hex.
            request: What is asked for.
            find_run: Returns the run of an id; raises RunUnknown.
        """
        run_id = self._store.value_of(keys.curated_key(content_id(sha256, request)))
        if run_id is None:
            return None
        try:
            return find_run(run_id)
        except RunUnknown:  # its retention is over
            return None


def content_id(sha256: str, request: Request) -> str:
    """Returns one word for a video and what is to be selected from it.

    Args:
        sha256: Of the whole video, hex.
        request: What is asked for; where the video comes from does not count.
    """
    wish = [sha256, request.selection_backend, request.config.to_dict()]
    return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
