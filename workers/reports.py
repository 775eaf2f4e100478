"""Queue `reports`: messages to people, and reports anew. Nothing waits for this queue."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celery import Task, shared_task

from curation.errors import CurationError, RunUnknown
from curation.ledger.notices import DIGEST
from curation.notices import Occasion, secrets_of, write
from curation.states import Event
from workers.base import wiring

if TYPE_CHECKING:
    from curation.models import Run
    from curation.notices import Notice

log = logging.getLogger(__name__)

_TRIES = 4
_FIRST_PAUSE_S = 15.0


@shared_task(
    bind=True,
    name="reports.notify",
    ignore_result=True,
    # Rather none than two: whoever gets news twice stops reading them.
    acks_late=False,
)
def notify(
    self: Task,  # type: ignore[type-arg]  # as in workers/base.py
    event: str,
    subject: str,
    detail: str = "",
    *,
    only: tuple[int, ...] = (),
    held: int | None = None,
) -> None:
    """Sends a message to people, and again to those whom it did not reach.

    It comes once: whoever asked for it has claimed it in the ledger. `only` and `held` are what a
    retry goes on from.
    """
    try:
        missed, held = _send(Event(event), subject, detail, only=only, held=held)
    except CurationError as error:
        log.warning("Message not sent: %s", error, extra={"event": event, "subject": subject})
        return
    if not missed:
        return
    if self.request.retries + 1 < _TRIES:
        pause_s = _FIRST_PAUSE_S * 2**self.request.retries
        raise self.retry(kwargs={"only": missed, "held": held}, countdown=pause_s, max_retries=None)
    facts = {"event": event, "subject": subject, "targets": _names(missed)}
    log.warning("Message did not reach all targets", extra=facts)


@shared_task(name="reports.build_report", ignore_result=True)
def build_report(run_id: str) -> None:
    """Makes the report of an engine run again, for example after an update of the page.

    The engine makes it first (docs/adr/0024). Twice is safe: the same page is written twice.
    """
    # numpy is loaded by nobody who only sends messages.
    from curation.report.again import build_again  # noqa: PLC0415  # as said above

    here = wiring()
    uri = build_again(here.ledger.runs.get(run_id), here.storage)
    log.info("Report made again", extra={"run_id": run_id, "uri": uri})


def _send(
    event: Event, subject: str, detail: str, *, only: tuple[int, ...], held: int | None
) -> tuple[list[int], int]:
    """Returns the places of the targets not reached, and how many were held back before."""
    here = wiring()
    if here.notifier is None:
        return [], 0
    if held is None:
        held = here.ledger.notices.admit(event, every_s=here.settings.notify.every_s)
    if held is None or (subject == DIGEST and not held):
        log.info("Message held back", extra={"event": event, "subject": subject})
        return [], 0
    notice = _notice(Occasion(event, subject, detail, run=_run(subject), held=held))
    return here.notifier.send(notice.title, notice.body, only=only), held


def _notice(occasion: Occasion) -> Notice:
    settings = wiring().settings
    return write(occasion, web_url=settings.web.web_url, secrets=secrets_of(settings))


def _run(subject: str) -> Run | None:
    try:
        return wiring().ledger.runs.get(subject)
    except RunUnknown:
        return None


def _names(missed: list[int]) -> list[str]:
    notifier = wiring().notifier
    return [notifier.names[place - 1] for place in missed] if notifier else []
