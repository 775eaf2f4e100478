from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from curation.models import (
    RUN_ID_PATTERN,
    BucketUri,
    Instance,
    Request,
    Run,
    RunError,
    RunRequest,
    Selection,
    Timestamp,
    Video,
    new_run_id,
    split_bucket_uri,
)
from curation.names import run_name
from curation.states import Backend, RunState, StepName

NOW = 1_795_339_815.25  # 2026-11-22T09:30:15.250Z
TIMESTAMP: TypeAdapter[float] = TypeAdapter(Timestamp)
BUCKET_URI: TypeAdapter[str] = TypeAdapter(BucketUri)
STEP = {"state": "pending", "attempts": 0, "looks": 0, "due_at": None, "problem": None} | {
    "started_at": None,
    "ended_at": None,
}
# The status object of a run of which nothing is known yet.
FRESH = {
    "schema": 1,
    "run_id": "20261122-093015-5f0c2d81ab",
    "name": run_name("20261122-093015-5f0c2d81ab"),
    "state": "pending",
    "outcome": None,
    "created_at": "2026-11-22T09:30:15.250Z",
    "updated_at": "2026-11-22T09:30:15.250Z",
    "ended_at": None,
    "deadline_at": "2026-11-22T15:30:15.250Z",
    "resumed_from": None,
    "same_as": None,
    "idempotency_key": None,
    "request": {
        "source": "pexels:popular",
        "proportion_samples": 0.1,
        "selection_backend": "engine",
        "selection_config": None,
    },
    "steps": {name.value: STEP for name in StepName},
    "video": {"uri": None, "size_bytes": None, "sha256": None, "source_url": None},
    "instance": {"instance_id": None, "state": None},
    "selection": {
        "backend": "engine",
        "scheduled_run_id": None,
        "state": None,
        "n_frames": None,
        "n_selected": None,
        "filenames_uri": None,
        "report_uri": None,
        "progress": {
            "state": None,
            "frames_done": None,
            "frames_total": None,
            "frames_per_s": None,
            "eta_s": None,
        },
    },
    "error": None,
    "cost": {"instance_seconds": None, "money": None, "currency": None, "per_frame": None},
}


def new_run(**facts: object) -> Run:
    """Returns a run of which nothing is known yet but what is given."""
    known = {
        "run_id": "20261122-093015-5f0c2d81ab",
        "state": RunState.PENDING,
        "created_at": NOW,
        "updated_at": NOW,
        "deadline_at": NOW + 21_600,
        "request": Request(
            source="pexels:popular", proportion_samples=0.1, selection_backend=Backend.ENGINE
        ),
        "selection": Selection(backend=Backend.ENGINE),
    }
    return Run.model_validate(known | facts)


def test_to_json__has_every_field_of_a_fresh_run() -> None:
    """What is not known yet is null, never missing."""
    assert json.loads(new_run().to_json()) == FRESH


def test_to_json__has_every_field_of_what_is_known() -> None:
    """Video, instance and error have all their fields, whatever is known of them."""
    run = new_run(
        video=Video(uri="s3://bbb/v.mp4", size_bytes=1, sha256="0" * 64, source_url="v.mp4"),
        instance=Instance(instance_id="i-0123456789abcdef0"),
        error=RunError(code="source:no-video", message="No video."),
    )

    document = json.loads(run.to_json())

    assert set(document["video"]) == {"uri", "size_bytes", "sha256", "source_url"}
    assert document["instance"] == {"instance_id": "i-0123456789abcdef0", "state": None}
    assert document["error"] == {"code": "source:no-video", "message": "No video.", "step": None}


def test_to_json__reads_back() -> None:
    """The status object is the whole record: nothing is lost on the way out and in."""
    run = new_run(ended_at=NOW + 0.001, error=RunError(code="x", message="ü", step="ingest_video"))

    assert Run.model_validate_json(run.to_json()) == run


def test_run__is_immutable_and_knows_its_fields() -> None:
    """A record is replaced, never changed, and a misspelt field is an error."""
    with pytest.raises(ValidationError, match="frozen"):
        new_run().state = RunState.COMPLETED  # type: ignore[misc]  # that is what is refused

    with pytest.raises(ValidationError, match="Extra inputs"):
        new_run(status="completed")


def test_log_context__names_what_is_known() -> None:
    """A log line carries the ids of the run, and none that it does not have."""
    fresh = new_run()
    busy = new_run(
        instance=Instance(instance_id="i-0123456789abcdef0"),
        selection=Selection(backend=Backend.ENGINE, scheduled_run_id="s-1"),
    )

    assert fresh.log_context() == {"run_id": fresh.run_id}
    assert busy.log_context() == {
        "run_id": busy.run_id,
        "instance_id": "i-0123456789abcdef0",
        "scheduled_run_id": "s-1",
    }


@given(milliseconds=st.integers(min_value=0, max_value=4_102_444_800_000))
def test_timestamp__survives_json_to_the_millisecond(milliseconds: int) -> None:
    """Until the year 2100 a time in JSON is RFC 3339, in UTC with Z, and reads back the same."""
    seconds = milliseconds / 1000

    text = json.loads(TIMESTAMP.dump_json(seconds))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert TIMESTAMP.validate_python(text) == seconds
    assert datetime.fromisoformat(text).tzinfo == UTC


def test_timestamp__keeps_seconds_inside() -> None:
    """Inside a process a time is a plain number, to compare and to subtract."""
    assert TIMESTAMP.dump_python(TIMESTAMP.validate_python("2026-11-22T10:30:15.25+01:00")) == NOW


def test_timestamp__needs_a_zone() -> None:
    """A time without its zone would mean another moment on each machine."""
    with pytest.raises(ValidationError, match="a time with its zone"):
        TIMESTAMP.validate_python("2026-11-22T09:30:15")


@pytest.mark.parametrize(
    ("given", "uri", "parts"),
    [
        ("s3://bucket", "s3://bucket/", ("bucket", "")),
        ("s3://my-bucket.eu/", "s3://my-bucket.eu/", ("my-bucket.eu", "")),
        ("s3://bucket/a/b", "s3://bucket/a/b/", ("bucket", "a/b/")),
    ],
)
def test_bucket_uri__ends_with_a_slash(given: str, uri: str, parts: tuple[str, str]) -> None:
    """Bucket and prefix can be told apart, and a key can be put behind them."""
    found = BUCKET_URI.validate_python(given)

    assert found == uri
    assert split_bucket_uri(found) == parts


@pytest.mark.parametrize(
    "given",
    [
        "bucket",
        "s3://",
        "s3:///prefix",
        "s3://Bucket/",
        "s3://ab/",
        "gs://bucket/",
        "s3://bucket/x\n",
    ],
)
def test_bucket_uri__refuses_what_is_no_bucket(given: str) -> None:
    """A wrong bucket is found when it is read, not when the first video has been fetched."""
    with pytest.raises(ValidationError, match="expected s3://bucket/prefix/"):
        BUCKET_URI.validate_python(given)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", ""),
        ("source", "   "),
        ("proportion_samples", 0),
        ("proportion_samples", 1.01),
        ("proportion_samples", float("nan")),
        ("selection_backend", "engin"),
        ("idempotency_key", ""),
        ("idempotency_key", "k" * 201),
        ("proportion", 0.1),
    ],
)
def test_run_request__refuses(field: str, value: object) -> None:
    """A request that cannot be carried out is not accepted, and the message names the field."""
    with pytest.raises(ValidationError, match=rf"for RunRequest\n{field}\n"):
        RunRequest.model_validate({field: value})


def test_run_request__is_open_by_default() -> None:
    """Whoever asks for nothing in particular gets what the settings say."""
    assert set(RunRequest().model_dump(exclude={"skip_curated"}).values()) == {None}
    assert not RunRequest().skip_curated
    assert RunRequest(source=" clip.mp4 ").source == "clip.mp4"


def test_new_run_id__sorts_by_age() -> None:
    """A list of ids is a list of runs from old to new; two of the same second still differ."""
    ids = [new_run_id(now) for now in (NOW, NOW + 1, NOW + 60 * 86_400)]

    assert ids == sorted(ids)
    assert all(re.match(RUN_ID_PATTERN, run_id) for run_id in ids)
    assert new_run_id(NOW) != new_run_id(NOW)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({}, ""), ({"n_selected": 25}, "25"), ({"n_selected": 25, "n_frames": 250}, "25 of 250")],
)
def test_selection__says_what_is_known(facts: dict[str, int], expected: str) -> None:
    """Hosted Lightly does not tell of how many frames it has chosen."""
    assert Selection(backend=Backend.LIGHTLY, **facts).in_words == expected
