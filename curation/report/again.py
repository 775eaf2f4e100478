"""Makes the report of an engine run again, from what the run has left in its bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.errors import RequestError
from curation.report.page import build_report

if TYPE_CHECKING:
    from curation.models import Run
    from curation.ports import Objects

REPORT = "report.html"
_SOURCES = {
    "selection_json": "selection.json",
    "facts_json": "report_facts.json",
    "facts_npz": "report_facts.npz",
}


def build_again(run: Run, objects: Objects) -> str:
    """Writes the report anew and returns its URI.

    Args:
        run: A completed run of our engine.
        objects: The bucket.

    Raises:
        RequestError: If the run has left nothing that a report could be made of.
    """
    results_uri = (run.selection.filenames_uri or "").removesuffix("selected.txt")
    if not results_uri or not all(
        objects.head(f"{results_uri}{file}") for file in _SOURCES.values()
    ):
        raise RequestError(
            f"Run {run.run_id} has not left {', '.join(_SOURCES.values())}: only a completed run "
            "of our engine has a report that can be made again.",
            code="request:report",
        )
    page = build_report(
        **{name: _read(objects, f"{results_uri}{file}") for name, file in _SOURCES.items()}
    )
    objects.put(f"{results_uri}{REPORT}", page, content_type="text/html; charset=utf-8")
    return f"{results_uri}{REPORT}"


def _read(objects: Objects, uri: str) -> bytes:
    with objects.read(uri) as chunks:
        return b"".join(chunks)
