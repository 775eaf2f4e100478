"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Limit = Annotated[int, typer.Option(min=1, help="How many runs, the newest first.")]
Data = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="Folder for the sandbox's data, which is kept and can be reopened. "
        "Without it: a temporary one.",
        show_default=False,
    ),
]
