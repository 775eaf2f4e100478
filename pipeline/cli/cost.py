"""The command `curate cost`: what runs, sources, days and months have cost, and each frame."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from curation.budget import this_month
from curation.ledger.bill import billed_days, day_of
from curation.links import public_url
from curation.models import Run
from curation.names import run_name
from pipeline import client, costs
from pipeline.cli import output
from pipeline.cli.listing import moment_of, newest_runs
from pipeline.cli.options import Json
from pipeline.costs import Line, Span


class By(StrEnum):
    """What a line stands for."""

    RUN = "run"
    SOURCE = "source"
    DAY = "day"
    MONTH = "month"


_By = Annotated[By, typer.Option("--by", help="What a line stands for.")]
_Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="From this day on (UTC): 7d, 24h, or 2026-11-22."),
]
_Until = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Up to this day (UTC), itself included: 7d or 2026-11-22."),
]
_Limit = Annotated[int, typer.Option(min=1, help="How many lines; the sums have them all.")]

# Below this sum a cent is too coarse.
_SMALL = 10.0


@dataclass(frozen=True)
class _Bill:
    """Lines, and what is shown below them."""

    lines: Sequence[Line]
    unheld: Line
    total: Line
    currency: str | None


def cost(
    *,
    by: _By = By.RUN,
    since: _Since = None,
    until: _Until = None,
    limit: _Limit = 100,
    as_json: Json = False,
) -> None:
    """Shows what runs have cost: seconds of the instance, money, and money for each frame.

    A second of the instance is shared by the runs that hold it; what no run held is a line of its
    own.

    Example: curate cost --by day --since 7d
    """
    span = Span(
        first=day_of(moment_of(since)) if since else date.min,
        last=day_of(moment_of(until, option="--until")) if until else date.max,
    )
    runs = list(span.runs(newest_runs()))
    bill = _bill(by, runs, span)
    if as_json:
        output.answer_json(_document(by, bill, {run.run_id: run for run in runs}, limit))
        return
    output.answer(_table(by, bill, limit))
    _explain(bill, limit)


def _bill(by: By, runs: Sequence[Run], span: Span) -> _Bill:
    price = client.settings().cost.price
    days = span.days(billed_days(client.ledger().store))
    lines = {
        By.RUN: lambda: costs.by_run(runs, price),
        By.SOURCE: lambda: costs.by_source(runs, price),
        By.DAY: lambda: costs.by_day(runs, days, price),
        By.MONTH: lambda: costs.by_month(runs, days, price),
    }[by]()
    unheld = costs.unheld(days, price)
    return _Bill(lines, unheld, costs.total([*lines, unheld]), price.currency if price else None)


def _document(by: By, bill: _Bill, runs: dict[str, Run], limit: int) -> str:
    lines = bill.lines[:limit]
    items = [
        (_facts(runs[line.key]) if by is By.RUN else {by.value: line.key, **_sums(line)})
        for line in lines
    ]
    sums = {"unheld": _sums(bill.unheld), "total": _sums(bill.total), "currency": bill.currency}
    return json.dumps({"schema": 1, "items": items, **sums}, indent=2)


def _facts(run: Run) -> dict[str, object]:
    known = run.model_dump(mode="json")
    chosen = ("run_id", "name", "created_at", "state")
    return {
        **{field: known[field] for field in chosen},
        "source": public_url(run.request.source),
        "n_selected": run.selection.n_selected,
        **known["cost"],
    }


def _sums(line: Line) -> dict[str, object]:
    return {
        "n_runs": line.n_runs,
        "instance_seconds": line.seconds,
        "n_selected": line.n_selected,
        "money": line.money,
        "per_frame": line.per_frame,
    }


def _table(by: By, bill: _Bill, limit: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(by.upper(), no_wrap=by is not By.SOURCE, overflow="fold")
    numbers = ["RUNS"] * (by is not By.RUN) + ["FRAMES", "INSTANCE"]
    money = [bill.currency, "PER FRAME"] if bill.currency else []
    for name in [*numbers, *money]:
        table.add_column(name, justify="right", no_wrap=True)
    digits = 2 if (bill.total.money or 0.0) >= _SMALL else 4
    for line in bill.lines[:limit]:
        key = run_name(line.key) if by is By.RUN else line.key
        table.add_row(Text(key), *_cells(by, line, digits=digits))
    for line, style in ((bill.unheld, "dim"), (bill.total, "bold")):
        table.add_row(Text(line.key), *_cells(by, line, digits=digits), style=style)
    return table


def _cells(by: By, line: Line, *, digits: int) -> list[str]:
    cells = [] if by is By.RUN else [str(line.n_runs or "")]
    cells += [f"{line.n_selected:,}" if line.n_selected else "", output.duration(line.seconds)]
    if line.money is None:
        return cells
    return [*cells, f"{line.money:.{digits}f}", f"{line.per_frame:.2g}" if line.per_frame else ""]


def _explain(bill: _Bill, limit: int) -> None:
    if len(bill.lines) > limit:
        output.note(f"{len(bill.lines) - limit} lines more are in the sums (--limit).")
    settings = client.settings().cost
    price, budget = settings.price, this_month(client.ledger().store, settings)
    if price is None:
        output.note("Set INSTANCE_PRICE_PER_HOUR (and PRICE_SOURCE) to see this in money.")
    else:
        source = price.source or "PRICE_SOURCE does not say where from"
        output.note(
            f"An hour of the instance costs {price.per_hour:g} {price.currency} ({source})."
        )
    if budget:
        output.note(f"{budget}.")
