from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from curation.adapters.selection.lightly_plan import Plan
from curation.errors import OperatorError
from curation.models import Request, Run, Selection, Video
from curation.setting_groups import LightlySettings, S3Settings
from curation.states import Backend, RunState

RUN_ID = "20270115-080000-0123456789"
OTHER_ID = "20270115-080001-9876543210"
LIGHTLY: dict[str, Any] = {"token": SecretStr("secret token"), "dataset_name": "videos"}
S3: dict[str, Any] = {
    "region": "us-east-1",
    "role_arn": "arn:aws:iam::123456789012:role/lightly",
    "external_id": SecretStr("0123456789"),
    "input_bucket": "s3://bucket/videos/",
    "lightly_bucket": "s3://bucket/results/",
}


def plan(name: str = "clip.mp4", **changes: Any) -> Plan:  # noqa: ANN401  # any setting
    """Returns the plan of a run whose video has that name."""
    lightly = {**LIGHTLY, **{key: changes[key] for key in changes if key in LIGHTLY}}
    s3 = {**S3, **{key: changes[key] for key in changes if key in S3}}
    run = Run(
        schema_version=1,
        run_id=RUN_ID,
        state=RunState.SELECTING,
        created_at=0.0,
        updated_at=0.0,
        deadline_at=1.0,
        request=Request(
            source="/videos", proportion_samples=0.1, selection_backend=Backend.LIGHTLY
        ),
        selection=Selection(backend=Backend.LIGHTLY),
        video=Video(
            uri=changes.get("uri", f"s3://bucket/videos/{RUN_ID}/{name}"),
            size_bytes=1,
            sha256="0" * 64,
            source_url="/videos/clip.mp4",
        ),
    )
    return Plan.of(run, LightlySettings(**lightly), S3Settings(**s3))


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("token", "LIGHTLY_TOKEN"),
        ("dataset_name", "LIGHTLY_DATASET_NAME"),
        ("role_arn", "S3_ROLE_ARN"),
        ("external_id", "S3_EXTERNAL_ID"),
        ("region", "S3_REGION"),
    ],
)
def test_of__missing_setting(setting: str, variable: str) -> None:
    """A setting that is missing is named by its variable."""
    with pytest.raises(OperatorError, match=f"^{variable} is not set") as caught:
        plan(**{setting: None})  # type: ignore[arg-type]  # a setting, not the name

    assert caught.value.code == "config:lightly"


def test_of__all_missing_settings_at_once() -> None:
    """Nobody has to find out one mistake after the other."""
    with pytest.raises(OperatorError) as caught:
        plan(token=None, role_arn=None, external_id=SecretStr("short"))

    for variable in ("LIGHTLY_TOKEN", "S3_ROLE_ARN", "S3_EXTERNAL_ID has 5 characters"):
        assert variable in caught.value.message


@pytest.mark.parametrize("name", ["ab", "-videos", "vide.os", "videos/1", "vidéos", "a\nb c"])
def test_of__dataset_name_that_lightly_refuses(name: str) -> None:
    """A name is judged as the client judges it, before anything is sent."""
    with pytest.raises(OperatorError, match="LIGHTLY_DATASET_NAME"):
        plan(dataset_name=name)


@pytest.mark.parametrize("arn", ["role/lightly", "arn:aws:iam::12345:role/x", "arn:aws:s3:::role"])
def test_of__role_that_lightly_refuses(arn: str) -> None:
    """The same for the role."""
    with pytest.raises(OperatorError, match="S3_ROLE_ARN"):
        plan(role_arn=arn)


def test_of__never_shows_secrets() -> None:
    """What is wrong with a secret is said without it."""
    with pytest.raises(OperatorError) as caught:
        plan(dataset_name="-", external_id=SecretStr("hush"))

    assert "hush" not in str(caught.value)
    assert "secret token" not in str(caught.value)
    assert "secret token" not in repr(plan())


def test_of__video_elsewhere() -> None:
    """A video that Lightly would not find is refused, with the setting to mend."""
    with pytest.raises(OperatorError, match="S3_INPUT_BUCKET"):
        plan(uri=f"s3://other/videos/{RUN_ID}/clip.mp4")


@given(
    name=st.from_regex(r"[A-Za-z0-9_-]{1,20}(\.[a-z]{1,5})?", fullmatch=True),
    number=st.integers(0, 10**6),
    digits=st.integers(1, 8),
)
def test_own__knows_the_clients_names(name: str, number: int, digits: int) -> None:
    """Frames named as Lightly's client names them are recognized, whatever the video's name."""
    ours = plan(f"{name}.mp4")
    frame = f"{name}-{number:0{digits}}-mp4.png"

    names = [f"{RUN_ID}/{frame}", f"{OTHER_ID}/{frame}", f"elsewhere/{frame}"]

    assert ours.own(names) == names[:1]


@given(
    names=st.lists(
        st.sampled_from(
            [
                f"{OTHER_ID}/clip-1-mp4.png",
                f"deep/{OTHER_ID}/clip-1-mp4.png",
                f"{OTHER_ID}/{RUN_ID}.png",
                f"{RUN_ID}/clip-7-mp4.png",
                f"{RUN_ID}/clip_7.jpg",
                "frame-000007.png",
            ]
        )
    )
)
def test_own__never_names_of_another_run(names: list[str]) -> None:
    """Whatever is mixed with what, no name in another run's folder is taken for ours."""
    assert [name for name in plan().own(names) if OTHER_ID in name] == []


def test_own__in_a_scheme_of_its_own() -> None:
    """Names of another form are taken, as long as they lie in no other run's folder."""
    assert plan().own(["frame-7.png", f"{OTHER_ID}/frame-7.png"]) == ["frame-7.png"]


@given(name=st.text(max_size=30))
def test_of__agrees_with_the_client_about_names(name: str) -> None:
    """We accept a dataset name if and only if the client does."""
    from curation.adapters.selection import lightly_client  # noqa: PLC0415  # slow to load

    assume(name)  # an empty one counts as not set
    try:
        lightly_client.dataset_request(name)
        accepted = True
    except ValueError:
        accepted = False
    try:
        plan(dataset_name=name)
        ours = True
    except OperatorError:
        ours = False

    # The client's pattern ends in `$`, which lets a line feed pass behind it.
    assert ours == (accepted and not name.endswith("\n"))
