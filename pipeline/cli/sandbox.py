"""The command `curate sandbox`: the whole pipeline and the outside world on one machine."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from curation.states import Backend
from pipeline.cli import output
from pipeline.cli.options import Data

if TYPE_CHECKING:
    from sandbox.processes import Status
    from sandbox.world import World

_PARTS = {
    "valkey": "Valkey: broker, results and ledger",
    "s3": "S3: both buckets",
    "cloud": "EC2 and SSM: one instance, whose commands really run",
    "pexels": "Pexels: videos for pexels:popular and pexels:search",
    "lightly": "Lightly: stand-in of the hosted service",
    "control": "Celery worker: every queue but the engine's",
    "beat": "Celery beat: wakes the reaper",
    "flower": "Flower: dashboard of tasks and workers",
    "web": "Pages: runs, frames, instances, cost; and the HTTP API",
}


_Backend = Annotated[
    Backend, typer.Option(help="Who selects: our engine, or a stand-in of hosted Lightly.")
]


def sandbox(*, data: Data = None, backend: _Backend = Backend.ENGINE) -> None:
    """Runs pipeline and outside world on this machine until Ctrl-C.

    Example: curate sandbox --data sandbox-data
    """
    with started(data, hosted=backend is Backend.LIGHTLY) as world:
        _introduce(world, is_kept=data is not None)
        world.wait(lambda name, status: _tell_restart(world, name, status))


@contextmanager
def started(data: Path | None, *, hosted: bool = False) -> Iterator["World"]:
    """Runs a sandbox. What goes wrong with it ends the command with what it said last.

    Args:
        data: Folder to keep, or None for a temporary one.
        hosted: Whether a stand-in of hosted Lightly selects.
    """
    from sandbox.processes import SandboxError
    from sandbox.world import World

    try:
        with ExitStack() as stack:
            with output.notes.status("Starting the sandbox"):
                world = stack.enter_context(World(data, hosted=hosted))
            try:
                yield world
            except KeyboardInterrupt:
                # To end all processes in good order takes seconds.
                output.note("The sandbox is being ended.")
                raise
    except SandboxError as error:
        output.complain(str(error))
        raise typer.Exit(output.FAILED) from error


def _introduce(world: "World", *, is_kept: bool) -> None:
    from sandbox.clip import clip

    end = "stays" if is_kept else "is removed at the end"
    output.answer(f"The sandbox runs in {world.data}, which {end}.\n")
    table = Table.grid(padding=(0, 2))
    for name, status in world.processes.items():
        port = world.ports.get(name)
        place = f"127.0.0.1:{port}" if port else ""
        table.add_row(f"  {name}", _PARTS.get(name, ""), place, f"process {status.pid}")
    output.answer(table)
    links = "".join(f"\n  {name:<8} {link}" for name, link in world.links.items())
    output.answer(f"{links}\n")
    command = shlex.join([str(world.door), "curate", "run", str(clip()), "--wait"])
    output.suggest(command, "Next, in another terminal")
    output.note("Ctrl-C ends all of it.")


def _tell_restart(world: "World", name: str, status: "Status") -> None:
    end = f"ended with exit code {status.exit_code}"
    output.warn(f"{name} {end} and was started again. Its log: {world.log(name)}")
