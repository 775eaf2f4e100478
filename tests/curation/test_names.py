from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from curation.names import run_name

RUN_IDS = st.from_regex(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{10}", fullmatch=True)


@given(run_id=RUN_IDS)
def test_run_name__is_three_words_and_stays(run_id: str) -> None:
    """A name is a pure function of the id, and needs no quotes in a shell."""
    name = run_name(run_id)

    assert re.fullmatch(r"[a-z]+-[a-z]+-[a-z]+", name)
    assert run_name(run_id) == name


def test_run_name__is_the_same_in_every_version() -> None:
    """Names stand in people's notes: they change with no release."""
    assert run_name("20261122-093015-5f0c2d81ab") == "spry-green-kingfisher"


def test_run_name__a_thousand_runs_have_a_thousand_names() -> None:
    """Two of a thousand runs hardly ever have the same name."""
    ids = [f"20261122-093015-{number:010x}" for number in range(1000)]

    assert len({run_name(run_id) for run_id in ids}) == 1000
