"""Options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from curation.errors import CurationError
from pipeline import client

_MOST_OFFERED = 50


def _complete(incomplete: str) -> list[tuple[str, str]]:
    """Offers the newest runs to the shell, by name and by id; nothing where there is no ledger."""
    try:
        runs = client.ledger().runs.newest(_MOST_OFFERED)
    except CurationError:
        return []
    known = [(word, run.state) for run in runs for word in (run.name, run.run_id)]
    return [(word, state.value) for word, state in known if word.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Limit = Annotated[int, typer.Option(min=1, help="How many runs, the newest first.")]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN_ID",
        help="The run's id or name, or a unique beginning of one.",
        autocompletion=_complete,
        show_default=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="Folder for the sandbox's data, which is kept and can be reopened. "
        "Without it: a temporary one.",
        show_default=False,
    ),
]
