"""The records of a run: what is asked for, and what is known about it."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from curation.links import public_url
from curation.names import run_name
from curation.selection_config import AnyConfig, SelectionConfig, diverse
from curation.states import Backend, Outcome, RunState, StepName, StepState

# Two hex digits a byte; the time in front makes ids sort by age.
_RUN_ID_RANDOM_BYTES = 5
RUN_ID_PATTERN = r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{10}$"
_BUCKET_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")


def _bucket_uri(value: str) -> str:
    if not _BUCKET_URI.fullmatch(value):
        raise ValueError("expected s3://bucket/prefix/")
    return value if value.endswith("/") else f"{value}/"


# `s3://bucket/prefix/`, always with the slash at the end.
BucketUri = Annotated[str, AfterValidator(_bucket_uri)]


def split_bucket_uri(uri: str) -> tuple[str, str]:
    """Returns bucket and prefix (or key) of `s3://bucket/prefix`."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix


def new_run_id(now: float) -> str:
    """Returns a fresh run id that sorts by time, e.g. `20261122-093015-5f0c2d81ab`."""
    stamp = datetime.fromtimestamp(now, tz=UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{secrets.token_hex(_RUN_ID_RANDOM_BYTES)}"


def _to_rfc3339(value: float | None) -> str | None:
    if value is None:
        return None
    text = datetime.fromtimestamp(value, tz=UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _from_rfc3339(value: Any) -> Any:  # noqa: ANN401  # pydantic hands over what it was given
    if not isinstance(value, str):
        return value
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("expected a time with its zone, e.g. 2026-11-22T09:30:15Z")
    return time.timestamp()


# Seconds since the epoch inside, RFC 3339 UTC with `Z` in JSON.
Timestamp = Annotated[
    float, BeforeValidator(_from_rfc3339), PlainSerializer(_to_rfc3339, when_used="json")
]


# A video source URI. A signed link must be kept to be fetched, but is not shown to anybody.
SourceUri = Annotated[str, PlainSerializer(public_url, when_used="json")]
# As its author wrote it, without the defaults.
ShownConfig = Annotated[
    SelectionConfig | None,
    PlainSerializer(lambda config: config.to_dict() if config else None, when_used="json"),
]


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunRequest(Record):
    """What a caller asks for. A field that is None takes its value from the settings.

    Attributes:
        source: Video source URI, e.g. `pexels:popular`, `https://…`, a path, `s3://bucket/prefix`.
        proportion_samples: Share of frames to keep, 0 < share <= 1.
        selection_backend: Who selects.
        idempotency_key: The same key gives the same run; None makes a new run each time.
        selection_config: What to choose, a mapping or JSON in the hosted service's language; None
            chooses the frames that differ most. An amount in it counts, not `proportion_samples`.
        skip_curated: Whether a video that a completed run has curated in the same way is not
            curated again: the run takes over that run's selection, and ends.
    """

    source: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] | None = None
    proportion_samples: Annotated[float, Field(gt=0, le=1)] | None = None
    selection_backend: Backend | None = None
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    selection_config: AnyConfig | None = None
    skip_curated: bool = False


class Request(Record):
    """A run request with every open field filled from the settings; part of the status object."""

    source: SourceUri
    proportion_samples: float  # counts unless the config names an amount
    selection_backend: Backend
    selection_config: ShownConfig = None
    # How it is asked for, not what: the same request with and without it is the same.
    skip_curated: bool = Field(default=False, exclude=True)

    @property
    def config(self) -> SelectionConfig:
        """The selection config in force, with its amount."""
        config = self.selection_config or diverse(self.proportion_samples)
        if config.n_samples or config.proportion_samples:
            return config
        return config.model_copy(update={"proportion_samples": self.proportion_samples})


class Step(Record):
    """One step of a run."""

    state: StepState = StepState.PENDING
    attempts: int = 0  # tries: 1 for the first, 1 more after each error
    looks: int = 0  # deliveries that looked and found it not ready yet
    due_at: Timestamp | None = None  # when a waiting step looks again
    problem: str | None = None  # why its last try failed, while it waits for the next one
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None


class Steps(Record):
    """All steps of a run."""

    ingest_video: Step = Step()
    start_instance: Step = Step()
    run_selection: Step = Step()
    release_instance: Step = Step()

    def get(self, name: StepName) -> Step:
        """Returns the step of that name."""
        step: Step = getattr(self, name.value)
        return step


class Video(Record):
    """The verified object in the input bucket."""

    uri: str  # s3://bucket/key
    size_bytes: int
    sha256: str  # of the whole file, hex
    source_url: str  # where it came from, without credentials or signature


class Instance(Record):
    """The instance as last seen."""

    instance_id: str
    state: str | None = None


class Progress(Record):
    """How far our own engine is with a selection run."""

    state: str  # the engine's own word
    frames_done: int | None = None  # embedded so far
    frames_total: int | None = None  # as the file has it, until all are decoded
    frames_per_s: float | None = None
    eta_s: float | None = None  # seconds until all frames are embedded


def _shown(kind: type[Record]) -> PlainSerializer:
    """Shows a record that is not there yet with all its fields, each null."""
    nothing = dict.fromkeys(kind.model_fields)
    return PlainSerializer(
        lambda record: record.model_dump(mode="json") if record else nothing, when_used="json"
    )


def _none_if_nulls(value: Any) -> Any:  # noqa: ANN401  # pydantic hands over what it was given
    if isinstance(value, dict) and not any(value.values()):
        return None
    return value


# None inside; in JSON an object whose fields are null, so that readers need not tell two cases.
ShownProgress = Annotated[Progress | None, BeforeValidator(_none_if_nulls), _shown(Progress)]


class Selection(Record):
    """The selection run as last seen."""

    backend: Backend
    scheduled_run_id: str | None = None
    state: str | None = None  # the backend's own word
    n_frames: int | None = None
    n_selected: int | None = None
    filenames_uri: str | None = None
    report_uri: str | None = None
    progress: ShownProgress = None

    @property
    def in_words(self) -> str:
        """Returns `25 of 250`, or nothing while that is not known; hosted Lightly tells the 25."""
        known = [str(n) for n in (self.n_selected, self.n_frames) if n is not None]
        return "" if self.n_selected is None else " of ".join(known)


# As above.
ShownVideo = Annotated[Video | None, BeforeValidator(_none_if_nulls), _shown(Video)]
ShownInstance = Annotated[Instance | None, BeforeValidator(_none_if_nulls), _shown(Instance)]


class RunError(Record):
    """Why a run failed or was canceled."""

    code: str
    message: str
    step: StepName | None = None


class Cost(Record):
    """What a run has cost so far."""

    instance_seconds: float | None = None  # its share of billed seconds
    money: float | None = None  # what they cost; None while no price is set
    currency: str | None = None
    per_frame: float | None = None  # money for each selected frame


class Run(Record):
    """The status object of a run, exactly as `curate status --json` prints it."""

    # `schema` would hide a (deprecated) method of pydantic's, so the field has an alias.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(1, alias="schema")
    run_id: str
    name: str = Field(default_factory=lambda known: run_name(known["run_id"]))
    state: RunState
    outcome: Outcome | None = None
    created_at: Timestamp
    updated_at: Timestamp
    ended_at: Timestamp | None = None
    deadline_at: Timestamp
    resumed_from: str | None = None
    same_as: str | None = None  # the run that had curated the same before, whose results it has
    idempotency_key: str | None = None
    request: Request
    steps: Steps = Steps()
    video: ShownVideo = None
    instance: ShownInstance = None
    selection: Selection
    error: RunError | None = None
    cost: Cost = Cost()

    def to_json(self) -> str:
        """Returns the status object as one JSON document."""
        return self.model_dump_json(by_alias=True, indent=2)

    def log_context(self) -> dict[str, str]:
        """Returns the fields that every log line about this run carries."""
        context = {"run_id": self.run_id}
        if self.instance:
            context["instance_id"] = self.instance.instance_id
        if self.selection.scheduled_run_id:
            context["scheduled_run_id"] = self.selection.scheduled_run_id
        return context
