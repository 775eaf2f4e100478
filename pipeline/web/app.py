"""Puts pages and API behind one door, and writes down who came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.web.api import create_api
from pipeline.web.door import Door
from pipeline.web.lines import Lines
from pipeline.web.pages import create_pages

if TYPE_CHECKING:
    from pydantic import SecretStr


def create_app(login: SecretStr, *, loopback_only: bool) -> Lines:
    """Returns all that `curate serve` serves.

    Args:
        login: `user:password` of the pages.
        loopback_only: Whether only names of this machine are answered.
    """
    api = create_api()
    door = Door(pages=create_pages(api), api=api, login=login, loopback_only=loopback_only)
    return Lines(door)
