from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.promises import (
    PROMISES,
    Call,
    Figures,
    History,
    Hold,
    RunFacts,
    Span,
    check,
    worst_time_to_stop_s,
)

FIGURES = Figures(lease_ttl_s=900.0, reap_interval_s=60.0, max_uptime_s=43_200.0)
URI = "s3://videos/run-1/clip.mp4"
STATES = ((0.0, "pending"), (1.0, "preparing"), (60.0, "selecting"), (300.0, "finishing"))
RUN = RunFacts(
    "run-1",
    states=(*STATES, (330.0, "completed")),
    deadline_at=21_600.0,
    accepted_sha256="abc",
    video_uri=URI,
    sha256="abc",
)

FAILED = replace(RUN, states=(*STATES, (330.0, "failed")), error=("code", "why"))
RESUMED = replace(RUN, run_id="run-2")


def good() -> History:
    """A run that went well: billed from 10 s to 320 s, its lease given back at 310 s."""
    return History(
        FIGURES,
        ended_at=5_000.0,
        calls=[Call(310.0, "ec2", "StopInstances", run_id="run-1")],
        billed=[Span(10.0, 320.0)],
        holds=[Hold("run-1", begin=5.0, renewed_at=300.0, end=310.0)],
        runs=[RUN],
        scheduled=["run-1"],
        workers=1,
        objects={URI: "abc"},
        texts={"log": "Run ended"},
        canaries=("hush",),
    )


def broken(history: History) -> list[str]:
    """Returns the promises that a history breaks."""
    return sorted({found.promise for found in check(history)})


def test_check__good_history() -> None:
    """A run that went well breaks nothing."""
    assert check(good()) == []


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        pytest.param({"billed": [Span(10.0)]}, "1 nothing left running", id="never stopped"),
        pytest.param(
            {"billed": [Span(10.0, 1_400.0)]}, "1 nothing left running", id="stopped too late"
        ),
        pytest.param(
            {"dead_from": 300.0, "billed": [Span(10.0, 1_400.0)]},
            "1 nothing left running",
            id="watchdog too late",
        ),
        pytest.param(
            {"holds": [Hold("run-1", 5.0, 44_000.0, 44_001.0)], "billed": [Span(10.0, 44_000.0)]},
            "1 nothing left running",
            id="past its maximum lifetime",
        ),
        pytest.param({"objects": {}}, "2 nothing lost", id="video gone"),
        pytest.param({"objects": {URI: "other"}}, "2 nothing lost", id="video damaged"),
        pytest.param(
            {"runs": [replace(FAILED, error=("code", ""))]},
            "2 nothing lost",
            id="failed without a reason",
        ),
        pytest.param(
            {"runs": [FAILED], "resumed": {"run-1": ""}}, "2 nothing lost", id="not to be resumed"
        ),
        pytest.param(
            {"runs": [FAILED, replace(FAILED, run_id="run-2")], "resumed": {"run-1": "run-2"}},
            "2 nothing lost",
            id="resumed in vain",
        ),
        pytest.param(
            {
                "runs": [FAILED, RESUMED],
                "resumed": {"run-1": "run-2"},
                "calls": [
                    *good().calls,
                    Call(400.0, "s3", "CreateMultipartUpload", run_id="run-2"),
                ],
            },
            "2 nothing lost",
            id="uploaded a second time",
        ),
        pytest.param({"scheduled": ["run-1", "run-1"]}, "3 nothing twice", id="two selection runs"),
        pytest.param(
            {
                "runs": [
                    replace(RUN, idempotency_key="key"),
                    replace(RUN, run_id="run-2", video_uri=URI, idempotency_key="key"),
                ]
            },
            "3 nothing twice",
            id="two runs of a key",
        ),
        pytest.param(
            {"holds": [*good().holds, Hold("run-2", 100.0, 310.0, 1_210.0)]},
            "4 not under another run",
            id="stopped under another",
        ),
        pytest.param({"runs": [replace(RUN, deadline_at=200.0)]}, "5 every run ends", id="late"),
        pytest.param(
            {"runs": [replace(RUN, states=STATES, deadline_at=400.0)]},
            "5 every run ends",
            id="never ended",
        ),
        pytest.param(
            {"runs": [replace(RUN, states=(*RUN.states, (400.0, "failed")), error=("c", "m"))]},
            "5 every run ends",
            id="end state changed",
        ),
        pytest.param({"texts": {"log": "token hush"}}, "6 no secret", id="secret in the log"),
        pytest.param({"open_uploads": [URI]}, "nothing left over", id="open upload"),
        pytest.param(
            {"objects": {URI: "abc", "s3://videos/run-1/other.mp4": "abc"}},
            "nothing left over",
            id="stray object",
        ),
        pytest.param({"workers": 2}, "nothing left over", id="two Lightly Workers"),
    ],
)
def test_check__broken(changes: dict[str, object], promise: str) -> None:
    """Each way to break a promise is found, and found as a break of that promise."""
    history = replace(good(), **changes)  # type: ignore[arg-type]  # each change fits its field

    assert promise in broken(history)


def test_promises__each_is_broken_above() -> None:
    """No promise is checked by a function that nothing can break."""
    parameters = test_check__broken.pytestmark[0].args[1]  # type: ignore[attr-defined]  # pytest's own mark

    assert {item.values[1] for item in parameters} == set(PROMISES)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"kept": [Span(10.0, 5_000.0)], "billed": [Span(10.0)]}, id="kept by a person"
        ),
        pytest.param(
            {
                "calls": [
                    Call(310.0 + 50 * number, "ec2", "StopInstances", "Unavailable", acted=False)
                    for number in range(40)
                ],
                "billed": [Span(10.0, 2_300.0)],
            },
            id="refused by EC2",
        ),
        pytest.param(
            {"wiped_at": 100.0, "runs": [replace(RUN, states=STATES, deadline_at=400.0)]},
            id="ledger lost",
        ),
        pytest.param({"billed": [Span(10.0, 1_300.0)]}, id="stopped by the reaper in time"),
        pytest.param({"runs": [FAILED, RESUMED], "resumed": {"run-1": "run-2"}}, id="resumed"),
    ],
)
def test_check__excused(changes: dict[str, object]) -> None:
    """What the promises leave open is no break."""
    history = replace(good(), **changes)  # type: ignore[arg-type]  # each change fits its field

    assert check(history) == []


def test_worst_time_to_stop_s__after_release() -> None:
    """It is the time from the release of the lease, or its last renewal, to the end of billing."""
    assert worst_time_to_stop_s(replace(good(), billed=[Span(10.0, 401.0)])) == 100.0
