"""Messages to people through Apprise: Slack, Teams, e-mail, webhooks, each by one URL."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from apprise import Apprise, NotifyFormat

from curation.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from apprise import NotifyBase

# What it logs of a failure may have a token in it, as part of a link.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


class AppriseNotifier:
    """Sends a message to every target.

    Args:
        urls: One Apprise URL a target.

    Raises:
        OperatorError: If one cannot be used; it is named by its place, for it is a secret.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._targets = [_target(number, url) for number, url in enumerate(urls, start=1)]

    @property
    def names(self) -> list[str]:
        """The targets, without their secrets: place in the setting, and service."""
        return [f"{at} ({it.service_name})" for at, it in enumerate(self._targets, start=1)]

    def send(self, title: str, body: str, *, only: Collection[int] = ()) -> list[int]:
        """Sends a message to all targets, or to these alone.

        Returns:
            The places of those that it did not reach, from 1.
        """
        numbered = enumerate(self._targets, start=1)
        chosen = [(number, target) for number, target in numbered if not only or number in only]
        return [number for number, target in chosen if not _reaches(target, title, body)]


def _target(number: int, url: str) -> NotifyBase:
    # Apprise writes what is wrong to its log alone.
    target = Apprise.instantiate(url, suppress_exceptions=True)
    if target is None:
        raise OperatorError(
            f"NOTIFY_URLS: URL number {number} is none that Apprise knows. Write it as "
            "https://github.com/caronc/apprise/wiki says, special characters percent-encoded.",
            code="config:notify",
        )
    return target


def _reaches(target: NotifyBase, title: str, body: str) -> bool:
    try:
        return bool(target.notify(body=body, title=title, body_format=NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001  # a hundred services: whatever it is, the run goes on
        return False
