"""Looks at the messages to people: can each of `NOTIFY_URLS` be used."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, Health, ok

if TYPE_CHECKING:
    from curation.wiring import Wiring


def notify_checks(wiring: Wiring) -> list[Check]:
    """Returns the check on the URLs. Nothing is sent; `curate doctor --notify` does that."""
    hint = "Correct NOTIFY_URLS."
    return [Check("messages", partial(_urls, wiring), hint, worst=Health.WARN)]


def _urls(wiring: Wiring) -> Answer | None:
    notifier = wiring.notifier
    if notifier is None:
        return None
    about = ", ".join(sorted(wiring.settings.notify.events))
    return ok(f"Messages about {about} go to {', '.join(notifier.names)}.")
