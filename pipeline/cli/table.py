"""How many runs look to a person: a table as wide as the terminal lets it be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from curation.links import public_url
from pipeline.cli.output import age
from pipeline.cli.view import STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curation.models import Run

# From each width on, in columns: what a table has.
_LAYOUTS = (
    (150, ("RUN", "NAME", "STATE", "AGE", "FRAMES", "ERROR", "SOURCE")),
    (72, ("NAME", "STATE", "AGE", "FRAMES", "ERROR")),
    (0, ("NAME", "STATE", "AGE")),
)


def runs_view(runs: Sequence[Run], *, now: float, width: int) -> Table:
    """Returns a table of runs.

    Args:
        runs: The runs, in order.
        now: The present by the ledger's clock, in seconds since the epoch.
        width: Columns of the terminal.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = next(columns for least, columns in _LAYOUTS if width >= least)
    for column in columns:
        table.add_column(column, no_wrap=column != "SOURCE", overflow="fold")
    for run in runs:
        table.add_row(*(_CELLS[column](run, now) for column in columns))
    return table


_CELLS: dict[str, Callable[[Run, float], str | Text]] = {
    "RUN": lambda run, _: run.run_id,
    "NAME": lambda run, _: run.name,
    "STATE": lambda run, _: Text(run.state, style=STYLES.get(run.state, "cyan")),
    "AGE": lambda run, now: age(now - run.created_at),
    "FRAMES": lambda run, _: run.selection.in_words,
    "ERROR": lambda run, _: Text(run.error.code if run.error else "", style="red"),
    "SOURCE": lambda run, _: Text(public_url(run.request.source)),
}
