"""The command `curate run`: ask for a run, plan it without running it, stay until it has ended."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from curation.errors import RequestError
from curation.models import Run, RunRequest
from curation.selection_config import SelectionConfig, load_config
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend
from pipeline import client
from pipeline.cli import each as every
from pipeline.cli import output, plan
from pipeline.cli.options import Json
from pipeline.cli.stay import print_accepted, stay, suggest_next

_Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A file or folder, https://…, s3://bucket/prefix, pexels:popular or "
        "pexels:search?query=WORDS. Without it: VIDEO_SOURCE.",
        show_default=False,
    ),
]
_Proportion = Annotated[
    float | None,
    typer.Option(help="Share of frames to keep, 0 to 1. Without it: PROPORTION_SAMPLES."),
]
_Backend = Annotated[
    Backend | None, typer.Option(help="Who selects. Without it: SELECTION_BACKEND.")
]
_Key = Annotated[str | None, typer.Option(help="The same key gives the same run, however often.")]
_Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What to choose: JSON in the hosted service's language. Without it: SELECTION_CONFIG.",
        show_default=False,
    ),
]
_Wait = Annotated[bool, typer.Option("--wait", help="Stay until the run has ended.")]
_Each = Annotated[
    bool,
    typer.Option(
        "--each",
        help="A run for every video of a folder, a prefix, a listing on Pexels, or a .txt file of "
        "links. The same command again goes on where it was.",
    ),
]
_AtOnce = Annotated[int, typer.Option(min=1, help="With --each: runs open at the same time.")]
_Limit = Annotated[
    int | None,
    typer.Option(min=1, help="With --each: videos in all.", show_default=False),
]
_RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="With --each: what failed or was canceled is tried again, from where it ended.",
    ),
]
_Force = Annotated[
    bool, typer.Option("--force", help="Curate again what is curated already. --json always does.")
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done and called. Changes nothing.")
]
# Where the caller has set a field of the request.
_SET_BY = {
    "source": "SOURCE",
    "proportion_samples": "--proportion",
    "selection_backend": "--backend",
    "idempotency_key": "--idempotency-key",
    "selection_config": "--selection-config",
}


def run(  # noqa: PLR0913  # each is an option of the command
    source: _Source = None,
    *,
    proportion: _Proportion = None,
    backend: _Backend = None,
    idempotency_key: _Key = None,
    selection_config: _Config = None,
    wait: _Wait = False,
    force: _Force = False,
    dry_run: _DryRun = False,
    each: _Each = False,
    at_once: _AtOnce = 2,
    limit: _Limit = None,
    retry_failed: _RetryFailed = False,
    as_json: Json = False,
) -> None:
    """Asks for a run: one video in, its most diverse frames out.

    Example: curate run clip.mp4 --proportion 0.1 --wait
    """
    how = {"proportion_samples": proportion, "selection_backend": backend}
    what = {"source": absolute(source), "selection_config": loaded(selection_config)}
    may_skip = _may_skip(force=force, each=each, as_json=as_json)
    request = _request(**what, **how, idempotency_key=idempotency_key, skip_curated=may_skip)
    _check(each=each, dry_run=dry_run, retry_failed=retry_failed)
    if each:
        scope = every.Scope(at_once=at_once, limit=limit, retry_failed=retry_failed)
        every.enqueue_each(request, scope, wait=wait, as_json=as_json)
    _carry_out(request, dry_run=dry_run, wait=wait, as_json=as_json)


def loaded(config: str | None) -> SelectionConfig | None:
    """Returns the selection config of a file or of JSON."""
    try:
        return load_config(config) if config else None
    except ValueError as error:
        raise RequestError(f"{error}.", code="request:selection-config") from None


def absolute(source: str | None) -> str | None:
    """Returns the source, a relative path made absolute: the ingest worker is elsewhere."""
    if source is None or kind_of(source) is not SourceKind.FOLDER or source.startswith("file:"):
        return source
    path = Path(source).absolute()
    if not _exists(path):
        output.warn(f"{path} does not exist here. The ingest worker will look for it on its side.")
    return str(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder on the way may not be read, or the name is too long
        return False


def _carry_out(request: RunRequest, *, dry_run: bool, wait: bool, as_json: bool) -> None:
    earlier = _curated(request)
    if dry_run:
        plan.show(request, earlier, as_json=as_json)
    elif earlier:
        _tell_curated(earlier)
    else:
        run_id = client.enqueue(request)
        if wait:
            stay(run_id, as_json=as_json)
        print_accepted(run_id, as_json=as_json)


def _may_skip(*, force: bool, each: bool, as_json: bool) -> bool:
    # Who reads JSON is a program and wants a run of its own; a backfill leaves out what is done.
    return not force and (each or not as_json)


def _check(*, each: bool, dry_run: bool, retry_failed: bool) -> None:
    if each and dry_run:
        raise typer.BadParameter("--dry-run is the plan of one run. Leave out --each.")
    if retry_failed and not each:
        raise typer.BadParameter("--retry-failed goes with --each. For one run: curate resume.")


def _request(**asked: object) -> RunRequest:
    try:
        return RunRequest.model_validate(asked)
    except ValidationError as error:
        problems = [
            f"{_SET_BY[str(item['loc'][0])]} {item['input']!r}: {item['msg']}"
            for item in error.errors()
        ]
        raise typer.BadParameter("; ".join(problems)) from None


def _curated(request: RunRequest) -> Run | None:
    """Returns the run that has curated a file of this machine; for all else the run finds out.

    A key is a promise of its own: the same key, the same run.
    """
    if not request.skip_curated or request.idempotency_key:
        return None
    try:
        sha256 = _sha256(Path(request.source or ""))
    except OSError:  # what is wrong with it, the ingest worker says, which may see it otherwise
        return None
    return client.curated(sha256, request) if sha256 else None


def _sha256(path: Path) -> str | None:
    """Returns the digest of a file; None if there is none of that name."""
    if not path.is_file():
        return None
    with output.notes.status(f"Reading {path.name}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tell_curated(run: Run) -> None:
    output.note(
        f"The same video is curated already, in the same way: {run.selection.in_words} frames, "
        f"by {run.name}. Nothing was started; --force curates it again."
    )
    output.answer(run.run_id)
    suggest_next(run)
