"""Looks at Pexels: is the key accepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, NotChecked, ok
from curation.errors import RequestError
from curation.source_uri import SourceKind, kind_of

if TYPE_CHECKING:
    from curation.wiring import Wiring


def pexels_checks(wiring: Wiring) -> list[Check]:
    """Returns the check on the key."""
    hint = "Check the network and PEXELS_API_URL, or wait: Pexels limits requests by the hour."
    return [Check("pexels key", partial(_key, wiring), hint)]


def _key(wiring: Wiring) -> Answer | None:
    try:
        kind = kind_of(wiring.settings.source.video_source)
    except RequestError as error:
        raise NotChecked("setting VIDEO_SOURCE") from error
    if kind is not SourceKind.PEXELS:
        return None
    page = wiring.pexels_api.page("popular", 1, {})
    return ok(f"Pexels accepts the key and shows {len(page.videos)} videos.")
