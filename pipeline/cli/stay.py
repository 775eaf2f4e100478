"""Stays with a run until it has ended; Ctrl-C asks what is to become of it."""

import signal
import sys
from enum import StrEnum
from typing import NoReturn

import typer
from rich.text import Text

from curation.ledger.store import LedgerUnavailable
from curation.models import Run
from curation.states import RunState
from pipeline import client
from pipeline.cli import output, watch


class Wish(StrEnum):
    """What is to become of a run that nobody wants to watch any more."""

    DETACH = "d"
    CANCEL = "c"
    GO_ON = "g"


def stay(run_id: str, *, as_json: bool) -> NoReturn:
    """Shows a run until it has ended, and ends this process as the run ended.

    Raises:
        Exit: Always; 130 when it was left alone before its end.
    """
    # The default would leave the terminal without its cursor.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        run = _follow(run_id)
    except LedgerUnavailable:
        output.note(f"Run {run_id} is in the ledger and goes on when Redis answers again.")
        raise
    if as_json:
        output.answer_json(run.to_json())
    elif not output.notes.is_terminal and run.error:
        output.complain(run.error.message)
    suggest_next(run)
    raise typer.Exit(output.DONE if run.state is RunState.COMPLETED else output.FAILED)


def print_accepted(run_id: str, *, as_json: bool) -> None:
    """Prints a run that was asked for: its id for scripts, its name for people."""
    run = client.status(run_id)
    if as_json:
        output.answer_json(run.to_json())
    else:
        output.answer(run_id)
    output.note(f"Accepted: {run.name}.")
    suggest_next(run)


def suggest_next(run: Run, *, besides: str = "") -> None:
    """Says what can be done with the run as it is, besides the command that was just used."""
    words = [(word, why) for word, why in _next_of(run) if word != besides]
    output.suggest_all([(f"curate {word} {run.name}", why) for word, why in words])


def _next_of(run: Run) -> list[tuple[str, str]]:
    match run.state:
        case RunState.COMPLETED:
            return [("report", "find the frames"), ("status", "see how it went")]
        case RunState.FAILED:
            return [
                ("logs", "see what its processes said"),
                ("resume", "try again, without doing again what was done"),
            ]
        case RunState.CANCELED:
            return [("resume", "go on after all")]
        case _:
            return [("status", "see how far it is"), ("cancel", "cancel it")]


def _follow(run_id: str) -> Run:
    is_canceled = False
    while True:
        try:
            with watch.progress() as show:
                (run,) = watch.follow([run_id], show)
        except KeyboardInterrupt:
            wish = Wish.DETACH if is_canceled else _ask(run_id)
        else:
            return run
        if wish is Wish.DETACH:
            _leave(run_id)
        if wish is Wish.CANCEL:
            is_canceled = True
            client.cancel(run_id)
            output.note("Canceled. It ends when its instance is given back; Ctrl-C leaves it.")


def _ask(run_id: str) -> Wish:
    """Asks a person; whoever cannot be asked, or presses Ctrl-C again, leaves the run alone."""
    if not (sys.stdin.isatty() and output.notes.is_terminal):
        return Wish.DETACH
    name = client.status(run_id).name
    question = Text(f"{name}: (d)etach, (c)ancel with clean-up, or (g)o on? [d] ", style="bold")
    try:
        while True:
            output.notes.print(question, end="")
            answer = sys.stdin.readline()
            word = answer.strip().lower()[:1] or Wish.DETACH.value
            if word in set(Wish):
                return Wish(word)
    except KeyboardInterrupt:
        output.note("")
        return Wish.DETACH


def _leave(run_id: str) -> NoReturn:
    run = client.status(run_id)
    output.note(f"You stopped watching. Run {run.name} goes on.")
    suggest_next(run)
    raise typer.Exit(output.INTERRUPTED)
