"""What is kept of a selection run on hosted Lightly: the names of its frames, and its report."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import requests

from curation.errors import CurationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.adapters.selection.lightly_api import LightlyApi, LightlyRun
    from curation.models import Run
    from curation.ports import Objects

log = logging.getLogger(__name__)

# Types of artifact that are a report, the best first, with name and MIME type of what is kept.
_REPORTS = {
    "REPORT_PDF": ("report.pdf", "application/pdf"),
    "REPORT_V2_JSON": ("report.json", "application/json"),
    "REPORT_JSON": ("report.json", "application/json"),
}
_TIMEOUTS_S = (5.0, 15.0)
# The report is a present: it gets so much time and room, and no run fails for it.
_LIMIT_S = 30.0
_LIMIT_BYTES = 64 * 1024**2
_CHUNK_BYTES = 1024**2


def keep_names(names: Sequence[str], uri: str, objects: Objects) -> None:
    """Writes the names, one a line."""
    text = "".join(f"{name}\n" for name in names)
    objects.put(uri, text.encode(), content_type="text/plain; charset=utf-8")


def keep_report(
    run: Run, made: LightlyRun, prefix: str, *, api: LightlyApi, objects: Objects
) -> str | None:
    """Copies the report to where the run's results are, if there is one and all goes well.

    Args:
        run: The run.
        made: The same, as Lightly has it.
        prefix: `s3://bucket/prefix/` of the run's results.
        api: Hosted Lightly.
        objects: Where the report goes.

    Returns:
        The object's URI, or None.
    """
    kind = next((kind for kind in _REPORTS if kind in made.artifacts), None)
    if kind is None:
        return None
    name, content_type = _REPORTS[kind]
    try:
        report = _fetch(api.artifact_url(made.lightly_run_id, made.artifacts[kind]))
        objects.put(f"{prefix}{name}", report, content_type=content_type)
    except (CurationError, requests.RequestException) as error:
        # Only the kind of error: its text may hold the link, which is signed.
        facts = {"kind": getattr(error, "code", type(error).__name__)}
        log.warning("The report was not kept", extra=run.log_context() | facts)
        return None
    return f"{prefix}{name}"


def _fetch(url: str) -> bytes:
    until = time.monotonic() + _LIMIT_S
    content = bytearray()
    with requests.get(url, stream=True, timeout=_TIMEOUTS_S) as response:
        response.raise_for_status()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > _LIMIT_BYTES or time.monotonic() > until:
                raise TransientError("The report is too large, or too slow.", "lightly:report")
    return bytes(content)
