from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RequestError, RunUnknown
from curation.ledger.lookup import SHORTEST_BEGINNING, find_run_id
from curation.names import run_name

FIRST, SECOND = "20261122-093015-5f0c2d81ab", "20261122-110000-00000000aa"
BOTH = [SECOND, FIRST]


@pytest.mark.parametrize(
    "text", [FIRST, FIRST.upper(), FIRST[:11], run_name(FIRST), run_name(FIRST)[:-2]]
)
def test_find_run_id__by_id_name_or_beginning(text: str) -> None:
    """A run is found by whatever is enough to tell it from all others."""
    assert find_run_id(text, BOTH) == FIRST


def test_find_run_id__lists_what_may_be_meant() -> None:
    """A beginning of several runs is refused, and the message names them."""
    with pytest.raises(RequestError, match="may be any of 2 runs") as caught:
        find_run_id("20261122", BOTH)

    assert [run_id for run_id in BOTH if run_id not in caught.value.message] == []


def test_find_run_id__too_short_is_no_beginning() -> None:
    """Three characters are more likely a mistake than a beginning."""
    with pytest.raises(RunUnknown):
        find_run_id(FIRST[: SHORTEST_BEGINNING - 1], [FIRST])


def test_find_run_id__names_the_nearest() -> None:
    """A slip of the finger is answered with what was probably meant."""
    misspelt = f"x{run_name(FIRST)[1:]}"

    with pytest.raises(RunUnknown, match=f"Did you mean {run_name(FIRST)}"):
        find_run_id(misspelt, BOTH)


@given(
    run_ids=st.lists(st.from_regex(r"2026[0-9]{4}-[0-9]{6}-[0-9a-f]{10}", fullmatch=True)),
    length=st.integers(SHORTEST_BEGINNING, 26),
)
def test_find_run_id__never_another_run(run_ids: list[str], length: int) -> None:
    """Whatever the runs, the beginning of an id finds that run or is refused."""
    for run_id in run_ids:
        others = [other for other in set(run_ids) if other.startswith(run_id[:length])]

        if others == [run_id]:
            assert find_run_id(run_id[:length], sorted(set(run_ids))) == run_id
        else:
            with pytest.raises(RequestError):
                find_run_id(run_id[:length], sorted(set(run_ids)))
