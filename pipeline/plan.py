"""What a run would do and call, found out without doing any of it: `curate run --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from curation.errors import CurationError
from curation.ledger import keys
from curation.links import public_url
from curation.models import Record, Request, Run, RunRequest
from curation.source_uri import SourceKind, kind_of
from curation.states import StepName
from pipeline import client
from pipeline.plan_calls import Call, calls_of
from workers.base import wiring

if TYPE_CHECKING:
    from curation.ports import SourceVideo


class PlannedStep(Record):
    """One step, and the calls that it would make, in order."""

    step: StepName
    does: str
    calls: list[Call]


class Plan(Record):
    """What a run would do."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(1, alias="schema")
    request: Request
    video: str  # what the source names, as far as that is known without fetching
    instance_id: str | None
    instance_state: str | None
    curated_by: str | None  # the run that has curated the same before: nothing would be done
    steps: list[PlannedStep]

    def to_json(self) -> str:
        """Returns the plan as one JSON document."""
        return self.model_dump_json(by_alias=True, indent=2)


def plan_run(asked: RunRequest, earlier: Run | None) -> Plan:
    """Plans a run. All that it calls for it reads only: a bucket's list, the instance's state.

    Args:
        asked: The run request.
        earlier: The run that has curated the same before, if any.

    Raises:
        RequestError: If the request cannot be meant.
        OperatorError: If a setting is missing or wrong.
    """
    request = client.filled(asked)
    instance_id = client.settings().ec2.ec2_instance_id
    calls = calls_of(request, client.settings())
    steps = [
        PlannedStep(step=step, does=_does(step, request, instance_id), calls=calls[step])
        for step in StepName
    ]
    return Plan(
        request=request,
        video=_video(request.source),
        instance_id=instance_id,
        instance_state=_instance_state(instance_id),
        curated_by=earlier.run_id if earlier else None,
        steps=[] if earlier else steps,
    )


def _does(step: StepName, request: Request, instance_id: str | None) -> str:
    kept = f"by {request.selection_backend}"
    match step:
        case StepName.INGEST_VIDEO:
            return "puts the video into the input bucket, and verifies it"
        case StepName.START_INSTANCE if instance_id:
            return "takes a lease, starts the instance unless it runs, launches its worker"
        case StepName.RUN_SELECTION:
            return f"selects frames {kept}, and looks again until that has ended"
        case StepName.RELEASE_INSTANCE if instance_id:
            return "gives the lease back; the last one out stops the instance"
        case _:
            return "is skipped: this machine does the work"


def _video(source: str) -> str:
    kind = kind_of(source)
    if kind is SourceKind.PEXELS:
        return "one that Pexels offers when the run begins"
    if kind is SourceKind.HTTP:
        return f"{public_url(source)}, not asked yet"
    try:
        offered = wiring().video_source(source)
        free = (it for it in offered.candidates() if not (offered.exclusive and _is_taken(it)))
        video = next(free, None)
    except CurationError as error:
        return f"unknown: {error}"
    if video is None:
        return "none: every video there has been taken by a run already"
    size = f" ({video.size_bytes:,} bytes)" if video.size_bytes else ""
    return f"{video.public_url}{size}"


def _is_taken(video: SourceVideo) -> bool:
    return video.url in client.ledger().store.hash_of(keys.taken_key(video.url))


def _instance_state(instance_id: str | None) -> str | None:
    if instance_id is None:
        return None
    try:
        return wiring().instances.describe(instance_id).state.value
    except CurationError as error:
        return f"unknown: {error}"
