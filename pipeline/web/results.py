"""What a run has left in the Lightly bucket: its frames and its report, for the pages."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import ExitStack
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from curation.errors import RequestError
from curation.models import Record
from curation.states import Outcome
from workers.base import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from curation.models import Run

_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png"}
# A stranger's video gave rise to the report: it has no part in our origin, no form, no net, and no
# script but the one that we ship. Of this server it gets its own frames alone.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'sha256-{script}'; "
    "style-src 'unsafe-inline'; img-src data: 'self'; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# They never change once the run has them.
_KEEP = {"Cache-Control": "private, max-age=86400, immutable"}
_REPORTS = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
_RUNS_REMEMBERED = 32


class Frame(Record):
    """A selected frame. Of a hosted run nothing but its name is known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str  # relative to the run's results
    order: int  # of choice, from 0
    frame_number: int | None = None
    timestamp_s: float | None = None

    @property
    def name(self) -> str:
        """Its file name."""
        return self.file.rpartition("/")[2]


def frames_of(run: Run) -> tuple[Frame, ...]:
    """Returns the selected frames in order of choice; none before there are any.

    Raises:
        CurationError: If the bucket cannot be read.
    """
    names = run.selection.filenames_uri
    if names is None or run.outcome is not Outcome.COMPLETED:
        return ()
    return _frames(names.removesuffix("selected.txt"))


def has_pictures(frames: tuple[Frame, ...]) -> bool:
    """Whether the frames themselves are in the bucket, or only a list of their names."""
    return any(frame.file.startswith("frames/") for frame in frames)


def picture(run: Run, name: str) -> StreamingResponse:
    """Returns a selected frame.

    Raises:
        RequestError: If the run has selected no frame of that name: nothing else is handed out.
    """
    frame = next((frame for frame in frames_of(run) if frame.name == name), None)
    kind = _TYPES.get(name.rpartition(".")[2])
    if frame is None or kind is None or frame.file != f"frames/{name}":
        raise RequestError(
            f"Run {run.run_id} has selected no frame {name!r}.", code="request:no-frame"
        )
    return _streamed(f"{_folder(run)}{frame.file}", kind, _KEEP)


def report_kind(run: Run) -> str | None:
    """Returns the kind of report that the run has, or None."""
    uri = run.selection.report_uri
    kind = uri.rpartition(".")[2] if uri else ""
    return kind if kind in _REPORTS else None


def report(run: Run) -> StreamingResponse:
    """Returns the run's report, which may do nothing but be looked at.

    Raises:
        RequestError: If it has none.
    """
    kind, uri = report_kind(run), run.selection.report_uri
    if kind is None or uri is None:
        raise RequestError(f"Run {run.run_id} has no report.", code="request:no-report")
    headers = {"Content-Security-Policy": _report_policy()} if kind == "html" else {}
    return _streamed(uri, _REPORTS[kind], headers)


@cache
def _report_policy() -> str:
    script = resources.files("curation.report").joinpath("report.js").read_bytes()
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    return _REPORT_POLICY.format(script=digest)


def _folder(run: Run) -> str:
    return (run.selection.filenames_uri or "").removesuffix("selected.txt")


@lru_cache(_RUNS_REMEMBERED)
def _frames(folder: str) -> tuple[Frame, ...]:
    objects = wiring().storage
    if objects.head(f"{folder}selection.json"):
        content = json.loads(_text(f"{folder}selection.json"))
        return tuple(Frame.model_validate(item) for item in content["selected"])
    names = _text(f"{folder}selected.txt").splitlines()
    return tuple(Frame(file=name, order=order) for order, name in enumerate(names))


def _text(uri: str) -> str:
    with wiring().storage.read(uri) as chunks:
        return b"".join(chunks).decode("utf-8")


def _streamed(uri: str, kind: str, headers: Mapping[str, str]) -> StreamingResponse:
    """Returns an object of the Lightly bucket without having all of it in memory."""
    if not uri.startswith(wiring().settings.s3.lightly_bucket):
        raise RequestError(f"{uri} is not where results are.", code="request:no-result")
    with ExitStack() as opening:
        chunks = opening.enter_context(wiring().storage.read(uri))
        opened = opening.pop_all()

    def body() -> Iterator[bytes]:
        with opened:
            yield from chunks

    return StreamingResponse(body(), media_type=kind, headers=headers)
