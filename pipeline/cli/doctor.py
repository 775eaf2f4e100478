"""The command `curate doctor`: what is ready for a run, what is not, and how to mend it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from curation.doctor.check import Finding, Health
from pipeline.cli import output
from pipeline.cli.options import Json
from workers.base import wiring

# What was found and what to do stand in one line up to this width.
_LINE_WIDTH = 76
_STYLES = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "bold red"}


_Notify = Annotated[
    bool, typer.Option("--notify", help="Send a test message to NOTIFY_URLS, and do no more.")
]


def doctor(*, notify: _Notify = False, as_json: Json = False) -> None:
    """Checks everything that a run needs, and says how to mend what is wrong.

    Example: curate doctor
    """
    findings = _send_test() if notify else _examine()
    if as_json:
        output.answer_items([finding.model_dump(mode="json") for finding in findings])
    else:
        output.answer(_view(findings))
        output.note(_summary(findings))
    if any(finding.state is Health.FAIL for finding in findings):
        raise typer.Exit(output.FAILED)


def _examine() -> list[Finding]:
    from pipeline.doctor import examine_all  # noqa: PLC0415  # no other command asks Flower

    with _progress() as tell:
        return examine_all(wiring(), tell=tell)


def _send_test() -> list[Finding]:
    from pipeline.notify import send_test  # noqa: PLC0415  # no other command sends messages

    return send_test(wiring())


@contextmanager
def _progress() -> Iterator[Callable[[Finding], None]]:
    """Shows findings on a terminal as they come; the answer shows them all, in order."""
    if not output.notes.is_terminal:
        yield lambda _: None
        return
    findings: list[Finding] = []
    busy = Spinner("dots", text="Looking at everything that a run needs")

    def tell(finding: Finding) -> None:
        findings.append(finding)
        live.update(Group(_view(findings), busy))

    with Live(busy, console=output.notes, transient=True) as live:
        yield tell


def _view(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        text = Text(finding.found, overflow="fold")
        if finding.mend:
            is_short = len(finding.found) + len(finding.mend) < _LINE_WIDTH
            text.append(" " if is_short else "\n")
            text.append(f"-> {finding.mend}", style="bold")
        state = Text(finding.state.value, style=_STYLES[finding.state])
        table.add_row(state, finding.name, text)
    return table


def _summary(findings: Sequence[Finding]) -> str:
    counts = {health: sum(it.state is health for it in findings) for health in Health}
    if counts[Health.OK] == len(findings):
        return "All is well."
    return f"{counts[Health.FAIL]} to mend, {counts[Health.WARN]} to look at."
