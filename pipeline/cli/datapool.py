"""Commands about datapools: which there are, what is in one, and how to empty it."""

from typing import Annotated

import typer
from rich.table import Table

from curation.datapool import DatapoolStore, datapools
from pipeline.cli import output
from pipeline.cli.commands import Command, Group
from pipeline.cli.options import Json
from workers.base import wiring

app = typer.Typer(cls=Group, help="What earlier runs chose, so that later ones choose what is new.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The datapool.", show_default=False)]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list", cls=Command)
def list_pools(*, as_json: Json = False) -> None:
    """Lists the datapools that have frames.

    Example: curate datapool list
    """
    found = datapools(wiring().storage, wiring().settings.s3.lightly_bucket)
    if as_json:
        output.answer_items([pool.model_dump() for pool in found])
    elif found:
        table = _table("datapool", "runs", "bytes")
        for pool in found:
            table.add_row(pool.name, str(pool.n_runs), f"{pool.size_bytes:,}")
        output.answer(table)
    else:
        output.note("There is no datapool yet. DATAPOOL names the one that runs add to.")


@app.command(cls=Command)
def show(name: _Name, *, as_json: Json = False) -> None:
    """Shows which runs a datapool has frames of.

    Example: curate datapool show traffic
    """
    store = _store(name)
    entries = [store.head(run_id) for run_id in store.run_ids()]
    if as_json:
        output.answer_items([entry.model_dump(mode="json") for entry in entries])
        return
    table = _table("run", "frames", "embedder")
    for entry in entries:
        table.add_row(entry.run_id, str(len(entry.frames)), entry.embedder)
    output.answer(table)
    output.note(f"{sum(len(entry.frames) for entry in entries)} frames of {len(entries)} runs.")


@app.command(cls=Command)
def reset(name: _Name, *, yes: _Yes = False, as_json: Json = False) -> None:
    """Empties a datapool: later runs may choose again what its runs chose. Results stay.

    Example: curate datapool reset traffic --yes
    """
    store = _store(name)
    n_runs = len(store.run_ids())
    if n_runs and not yes:
        typer.confirm(f"Forget the frames of {n_runs} runs in {name}?", abort=True, err=True)
    n_deleted = store.reset()
    if as_json:
        output.answer_items([{"name": name, "n_deleted": n_deleted}])
    else:
        output.note(f"{name} is empty; the frames of {n_deleted} runs were in it.")


def _store(name: str) -> DatapoolStore:
    return DatapoolStore(wiring().storage, wiring().settings.s3.lightly_bucket, name)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
