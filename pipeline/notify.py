"""A test message to everybody whom messages go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.doctor.check import Finding, Health
from curation.notices import Occasion, secrets_of, write
from curation.states import Event

if TYPE_CHECKING:
    from curation.wiring import Wiring


def send_test(wiring: Wiring) -> list[Finding]:
    """Sends a test message, and returns whom it reached: a finding for each target.

    Raises:
        OperatorError: If a URL cannot be used.
    """
    notifier, settings = wiring.notifier, wiring.settings
    if notifier is None:
        found = "NOTIFY_URLS is not set."
        mend = "Set it to Apprise URLs, such as slack://… or mailto://…"
        return [Finding(name="test message", state=Health.FAIL, found=found, mend=mend)]
    notice = write(
        Occasion(Event.TEST, "test", "Messages of the video curation reach you here."),
        web_url=settings.web.web_url,
        secrets=secrets_of(settings),
    )
    missed = notifier.send(notice.title, notice.body)
    return [
        _missed(name) if place in missed else _reached(name)
        for place, name in enumerate(notifier.names, start=1)
    ]


def _reached(name: str) -> Finding:
    return Finding(name=f"test message {name}", state=Health.OK, found="It was taken.")


def _missed(name: str) -> Finding:
    mend = "Check that URL of NOTIFY_URLS and the network."
    return Finding(
        name=f"test message {name}", state=Health.FAIL, found="It was not taken.", mend=mend
    )
