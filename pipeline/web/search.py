"""Finds runs for a list: by state, by source, by words, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from curation.links import public_url
from curation.states import RunState
from pipeline import client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.models import Run

# Runs that are looked through for a search, the newest: each costs the ledger a moment.
MOST_SEARCHED = 1000


class Search(BaseModel):
    """What is looked for, from the query of the address."""

    model_config = ConfigDict(frozen=True)

    state: RunState | None = Field(None, description="Only runs in this state.")
    source: str = Field("", max_length=500, description="Only runs whose source begins so.")
    q: str = Field("", max_length=200, description="Only runs with this in id, name or source.")
    limit: int = Field(25, ge=1, le=100, description="How many runs, the newest first.")
    skip: int = Field(0, ge=0, description="How many to leave out first.")

    @field_validator("state", mode="before")
    @classmethod
    def _any_state(cls, value: object) -> object:
        # What a form sends for a field that is left as it was.
        return value or None

    @property
    def is_narrow(self) -> bool:
        """Whether some runs are left out."""
        return bool(self.state or self.source or self.q)

    def matches(self, run: Run) -> bool:
        """Whether the run is one of those."""
        source = public_url(run.request.source)
        words = f"{run.run_id} {run.name} {source} {run.error.code if run.error else ''}".lower()
        return (
            (self.state is None or run.state is self.state)
            and source.startswith(self.source)
            and self.q.lower().strip() in words
        )


def find_runs(search: Search) -> tuple[Sequence[Run], bool]:
    """Returns the runs of one page, the newest first, and whether there are more."""
    runs = client.ledger().runs
    if search.is_narrow:
        found = [run for run in runs.newest(MOST_SEARCHED) if search.matches(run)][search.skip :]
    else:
        found = runs.newest(search.limit + 1, skip=search.skip)
    return found[: search.limit], len(found) > search.limit
