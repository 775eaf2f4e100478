from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.cron import last_slot

NOW = datetime(2026, 11, 22, 10, 7, 31, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", datetime(2026, 11, 22, 10, 7, tzinfo=UTC)),
        ("0 * * * *", datetime(2026, 11, 22, 10, 0, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 11, 22, 10, 0, tzinfo=UTC)),
        ("30 11 * * *", datetime(2026, 11, 21, 11, 30, tzinfo=UTC)),
        ("0 6 * * 1", datetime(2026, 11, 16, 6, 0, tzinfo=UTC)),
        ("0 6 * * 0", datetime(2026, 11, 22, 6, 0, tzinfo=UTC)),
        ("15 3 1 2 *", datetime(2026, 2, 1, 3, 15, tzinfo=UTC)),
    ],
)
def test_last_slot__is_the_latest_minute_of_the_schedule(cron: str, expected: datetime) -> None:
    """However late a beat is, its tick has the name of the slot that was due."""
    assert expected == last_slot(cron, NOW)
