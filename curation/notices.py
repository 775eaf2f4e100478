"""Messages to people: what they say, and that no secret is in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import SecretStr

from curation.errors import CurationError
from curation.links import public_url
from curation.setting_groups import split_urls
from curation.settings import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jinja2 import Template

    from curation.models import Run
    from curation.settings import Settings
    from curation.states import Event

# A shorter value would black out words that only look like it.
_SHORTEST_SECRET = 4
_LINK = re.compile(r"https?://[^\s'\"<>]+")
# Read by boto3 itself.
_OTHERS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Notice:
    """A message: one line, and a few more."""

    title: str
    body: str


@dataclass(frozen=True)
class Occasion:
    """What a message is about.

    Attributes:
        event: Its kind.
        subject: Run id, instance id, or the month of a budget.
        detail: A sentence with the facts, where there is no run to tell them.
        run: The run, if it is about one that is known.
        held: How many messages of this kind were held back before it.
    """

    event: Event
    subject: str
    detail: str = ""
    run: Run | None = None
    held: int = 0


def write(occasion: Occasion, *, web_url: str | None, secrets: Iterable[str]) -> Notice:
    """Returns the message on an occasion.

    Args:
        occasion: What it is about.
        web_url: Where people reach the pages, or None.
        secrets: What must not be in it, whatever an error's text may hold.
    """
    run = occasion.run
    text = _template("notice.txt.jinja").render(
        it=occasion,
        run=run,
        source=public_url(run.request.source) if run else "",
        pages=(web_url or "").rstrip("/"),
    )
    title, _, body = _redact(text, secrets).strip().partition("\n")
    return Notice(title=title.strip(), body=body.strip())


def secrets_of(settings: Settings) -> list[str]:
    """Returns every secret that this process knows, the longest first, and their telling parts."""
    known = {part for value in _values(settings) for part in _parts(value)}
    return sorted((it for it in known if len(it) >= _SHORTEST_SECRET), key=len, reverse=True)


def _redact(text: str, secrets: Iterable[str]) -> str:
    shown = _LINK.sub(lambda link: public_url(link[0]), text)
    for secret in secrets:
        shown = shown.replace(secret, "***")
    return shown


def _values(settings: Settings) -> Iterator[str]:
    for name in dir(type(settings)):
        try:
            group = getattr(settings, name)
        except CurationError:
            continue  # another setting of the group is missing, and no run can have used it
        if isinstance(group, GROUPS):
            held = (getattr(group, field) for field in type(group).model_fields)
            yield from (it.get_secret_value() for it in held if isinstance(it, SecretStr))
    yield from filter(None, map(os.environ.get, _OTHERS))


def _parts(value: str) -> Iterator[str]:
    """Yields the value, and the password of each URL in it as it is and decoded."""
    yield value
    for url in split_urls(value):
        yield url
        password = urlsplit(url).password if "://" in url else None
        if password:
            yield from (password, unquote(password))


@cache
def _templates() -> Environment:
    loader = PackageLoader("curation", package_path="")
    return Environment(  # noqa: S701  # plain text, which no browser reads
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _template(name: str) -> Template:
    return _templates().get_template(name)
