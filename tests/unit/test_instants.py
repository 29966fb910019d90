"""Instants near the ends of the calendar."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from stepsched.core.instants import in_zone, later_by

UTC = timezone.utc
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("instant", "length", "wanted"),
    [
        pytest.param(datetime(2030, 1, 1, tzinfo=UTC), DAY, datetime(2030, 1, 2, tzinfo=UTC), id="later"),
        pytest.param(datetime(2030, 1, 2, tzinfo=UTC), -DAY, datetime(2030, 1, 1, tzinfo=UTC), id="earlier"),
        pytest.param(LAST - DAY, 2 * DAY, LAST, id="end"),
        pytest.param(FIRST + DAY, -2 * DAY, FIRST, id="beginning"),
        pytest.param(FIRST, timedelta.max, LAST, id="longest"),
        pytest.param(LAST, timedelta.min, FIRST, id="longest before"),
    ],
)
def test_an_instant_is_moved_at_most_to_the_ends_of_the_calendar(
    instant: datetime, length: timedelta, wanted: datetime
) -> None:
    assert later_by(instant, length) == wanted


@pytest.mark.parametrize(
    ("instant", "offset", "wanted"),
    [
        pytest.param(datetime(9999, 12, 31, 14, 59, tzinfo=UTC), 9, "9999-12-31T23:59:00+09:00", id="inside"),
        pytest.param(LAST, 9, "9999-12-31T23:59:59.999999+00:00", id="end"),
        pytest.param(FIRST, -5, "0001-01-01T00:00:00+00:00", id="beginning"),
    ],
)
def test_a_wall_time_beyond_the_calendar_stays_in_its_own_zone(
    instant: datetime, offset: int, wanted: str
) -> None:
    assert in_zone(instant, timezone(timedelta(hours=offset))).isoformat() == wanted


def test_the_zone_of_a_place_is_used_at_both_ends() -> None:
    assert in_zone(FIRST, ZoneInfo("Asia/Tokyo")).hour == 9
    assert in_zone(LAST, ZoneInfo("America/New_York")).hour == 18
