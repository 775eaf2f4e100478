"""Finds a run by what a person types: its id, its name, or a unique beginning of either."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from curation.errors import RequestError, RunUnknown
from curation.names import run_name

if TYPE_CHECKING:
    from collections.abc import Sequence

# Fewer characters are more likely a mistake than a beginning.
SHORTEST_BEGINNING = 4
_MOST_SHOWN = 5


def find_run_id(text: str, run_ids: Sequence[str]) -> str:
    """Returns the id of the one run that is meant.

    Args:
        text: A run's id or name, or the beginning of one, at least 4 characters.
        run_ids: All runs, the newest first.

    Raises:
        RequestError: If several runs may be meant; the message lists them.
        RunUnknown: If none is; the message names what looks most like it.
    """
    wanted = text.strip().lower()
    names = {run_id: run_name(run_id) for run_id in run_ids}
    found = [run_id for run_id in run_ids if wanted in (run_id, names[run_id])]
    if not found and len(wanted) >= SHORTEST_BEGINNING:
        found = [id_ for id_ in run_ids if id_.startswith(wanted) or names[id_].startswith(wanted)]
    if len(found) > 1:
        raise _ambiguous(text, [f"{names[run_id]} ({run_id})" for run_id in found])
    if not found:
        raise _unknown(text, get_close_matches(wanted, [*names.values(), *run_ids], n=1))
    return found[0]


def _ambiguous(text: str, runs: Sequence[str]) -> RequestError:
    more = f" and {len(runs) - _MOST_SHOWN} more" if len(runs) > _MOST_SHOWN else ""
    return RequestError(
        f"{text!r} may be any of {len(runs)} runs: {', '.join(runs[:_MOST_SHOWN])}{more}. "
        "Give more of its id or name.",
        code="request:ambiguous-run",
    )


def _unknown(text: str, nearest: Sequence[str]) -> RunUnknown:
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    return RunUnknown(
        f"There is no run {text!r}. `curate list` shows the runs that are known.{hint}"
    )
