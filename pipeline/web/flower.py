"""Leads from Flower's pages back to ours: an entry in its menu, and run ids that are links."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from tornado.escape import xhtml_escape
from tornado.template import Loader, ParseError, Template

from curation.models import RUN_ID_PATTERN

log = logging.getLogger(__name__)

# Anywhere in a text.
_RUN_ID = re.compile(RUN_ID_PATTERN.strip("^$"))
_ENTRY = '<li class="nav-item"><a class="nav-link" href="{{ our_pages }}/">Runs</a></li>'
# In which of Flower's templates what stands, and what we write for it.
_CHANGES = {
    "navbar.html": ("</ul>", f"{_ENTRY}</ul>"),
    "task.html": ("{{ task.args }}", "{% raw with_links(task.args) %}"),
}


class LinkingLoader(Loader):
    """Loads Flower's own templates, and writes links to our pages into two of them.

    A template that does not hold what we look for, or does not bear it, stays as it is: a later
    Flower may lose the links, but no page.

    Args:
        folder: Where Flower has its templates.
        pages: Where people reach our pages.
    """

    def __init__(self, folder: str, *, pages: str) -> None:
        pages = pages.rstrip("/")
        names = {"our_pages": pages, "with_links": lambda args: with_links(args, pages=pages)}
        super().__init__(folder, namespace=names)

    def _create_template(self, name: str) -> Template:
        old, new = _CHANGES.get(name, ("", ""))
        text = Path(self.root, name).read_text(encoding="utf-8")
        try:
            return Template(text.replace(old, new, 1), name=name, loader=self)
        except (ParseError, SyntaxError):
            log.warning("Flower's template bears no link to our pages", extra={"template": name})
            return super()._create_template(name)


def link_back(pages: str) -> None:
    """Has Flower, which is about to start in this process, lead to our pages.

    Args:
        pages: Where people reach them.
    """
    try:
        # What Flower makes its web application of; Tornado asks `template_loader` for templates.
        from flower.urls import settings  # noqa: PLC0415  # a later Flower may not have it

        settings["template_loader"] = LinkingLoader(settings["template_path"], pages=pages)
    except (ImportError, KeyError):
        log.warning("This Flower has no place for links to our pages")


def with_links(args: object, *, pages: str) -> str:
    """Returns a task's arguments as HTML in which each run id leads to the run's page.

    Args:
        args: The arguments as Flower knows them.
        pages: Where people reach our pages, without a slash at the end.
    """

    def link(found: re.Match[str]) -> str:
        return f'<a href="{xhtml_escape(pages)}/runs/{found[0]}">{found[0]}</a>'

    return _RUN_ID.sub(link, xhtml_escape(str(args)))
