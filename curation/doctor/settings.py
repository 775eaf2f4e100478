"""Looks at the settings: missing, malformed, misspelt, and those that only some runs need."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING

from curation.doctor.check import Finding, Health
from curation.doctor.examine import sentences
from curation.errors import OperatorError, RequestError
from curation.setting_groups import LightlySettings
from curation.settings import GROUPS, SIMILAR, problems, variables
from curation.source_uri import kind_of
from curation.states import Backend

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from curation.settings import Settings
    from curation.wiring import Wiring

_OURS = [name for group in GROUPS for name in variables(group)]
# Beginnings of names that are hardly anybody else's.
_BEGINNINGS = ("EC2_", "FLOWER_", "LIGHTLY_", "PEXELS_", "REDIS_", "S3_", "SSM_")
# Read by the Lightly client, and by docker-compose.yml.
_OTHERS = ("LIGHTLY_CA_CERTS", "LIGHTLY_DID_VERSION_CHECK", "REDIS_PASSWORD")
_ANYHOW_SIMILAR = 0.6
# Seconds between two looks that the hosted service bears.
_POLITE_S = 30.0
_LIGHTLY = LightlySettings.model_fields["server_location"].default
_MEND = "Set it right, in the environment or in .env."
_MEND_HOSTED = f"{_MEND} Or set SELECTION_BACKEND=engine: our own engine needs no account there."


def wrong_settings(
    wiring: Wiring, environment: Mapping[str, str], *, known: Collection[str]
) -> list[Finding]:
    """Returns a finding for each variable that something is wrong with.

    Args:
        wiring: With the settings in force.
        environment: The variables of this process, those of `.env` included.
        known: Names that other programs of the pipeline read.
    """
    return [
        *_unusable(),
        *_needed(wiring),
        *misspelt_settings(environment, known=known),
    ]


def misspelt_settings(
    environment: Mapping[str, str], *, known: Collection[str]
) -> Iterator[Finding]:
    """Yields a finding for each variable that looks like a setting of ours, and is none.

    Args:
        environment: The variables of this process, those of `.env` included.
        known: Names that other programs of the pipeline read.
    """
    for name in sorted(name for name, value in environment.items() if value):
        upper = name.upper()
        if upper in {*_OURS, *_OTHERS, *known} or upper.startswith("AWS_"):
            continue
        looks_ours = upper.startswith(_BEGINNINGS)
        cutoff = _ANYHOW_SIMILAR if looks_ours else SIMILAR
        similar = difflib.get_close_matches(upper, _OURS, n=1, cutoff=cutoff)
        if looks_ours or similar:
            rename = f"Did you mean {similar[0]}? Then rename it." if similar else "Remove it."
            # Its value is not shown: it may be a token.
            yield _doubt(
                name,
                "is set, but there is no such setting.",
                f"{rename} If another program reads it, leave it.",
            )


def right_settings(environment: Mapping[str, str]) -> Finding:
    """Returns the finding that nothing is wrong."""
    n_set = sum(1 for name, value in environment.items() if value and name.upper() in _OURS)
    found = f"{n_set} of {len(_OURS)} settings are set, and all can be used."
    return Finding(name="settings", state=Health.OK, found=found)


def wrong_setting(name: str, problem: str, *, mend: str = _MEND) -> Finding:
    """Returns the finding on one variable.

    Args:
        name: The variable.
        problem: A sentence on what is wrong, and perhaps others on what to do.
        mend: What to do, if the problem does not say so.
    """
    found, own_mend = sentences(problem)
    return Finding(name=f"setting {name}", state=Health.FAIL, found=found, mend=own_mend or mend)


def _unusable() -> Iterator[Finding]:
    for group in GROUPS:
        for name, problem in problems(group).items():
            yield wrong_setting(name, problem)


def _needed(wiring: Wiring) -> Iterator[Finding]:
    """Yields what is wrong with the settings that these runs need."""
    settings = wiring.settings
    # What cannot be told because a group cannot be used, `_unusable` has said.
    with contextlib.suppress(OperatorError):
        try:
            kind_of(settings.source.video_source)
        except RequestError as error:
            yield wrong_setting("VIDEO_SOURCE", error.message)
    with contextlib.suppress(OperatorError):
        if settings.run.selection_backend is not Backend.LIGHTLY:
            return
        for problem in wiring.lightly_problems():
            yield wrong_setting(problem.split()[0], problem, mend=_MEND_HOSTED)
    with contextlib.suppress(OperatorError):
        yield from _doubtful(settings)


def _doubtful(settings: Settings) -> Iterator[Finding]:
    """Yields what works on hosted Lightly, but perhaps not as it is meant to."""
    if settings.ec2.ec2_instance_id is None:
        yield _doubt(
            "EC2_INSTANCE_ID",
            "is not set, so runs start no instance.",
            "Set it, or see to it that a Lightly Worker runs all the time.",
        )
    is_real = settings.lightly.server_location == _LIGHTLY
    if is_real and settings.run.poll_interval_s < _POLITE_S:
        yield _doubt(
            "POLL_INTERVAL_S",
            f"is {settings.run.poll_interval_s:g} s: Lightly may limit so many requests.",
            f"Set it to {_POLITE_S:g} or more.",
        )


def _doubt(name: str, found: str, mend: str) -> Finding:
    return Finding(name=f"setting {name}", state=Health.WARN, found=f"{name} {found}", mend=mend)
