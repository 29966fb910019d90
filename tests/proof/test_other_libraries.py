"""Values of pandas, pendulum, pytz, dateutil, freezegun, arrow and numpy, as they really are.

The libraries are no dependencies of the tests: ``pip install pandas pendulum pytz freezegun arrow``, then
``pytest -m proof tests/proof/test_other_libraries.py``. A library that is missing skips its tests.
"""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.schedules.moments import plain_moment
from stepsched.testing import FakeClock
from tests.unit.schedules.foreign import is_plain

pytestmark = pytest.mark.proof
UTC = timezone.utc
PARIS = "Europe/Paris"
MONTHLY = ss.Frequency(months=1)
JULY = datetime(2030, 7, 1, 9, tzinfo=ZoneInfo(PARIS))


def load(name: str) -> Any:
    return pytest.importorskip(name)


def check_moment(value: Any, wanted: datetime) -> None:
    plain = plain_moment(value)
    assert (plain.isoformat(), is_plain(plain)) == (wanted.isoformat(), True)
    start = ss.Windowed(value, every=MONTHLY)
    assert start == ss.Windowed(wanted, every=MONTHLY)
    assert start.next_run(datetime(2031, 1, 1, tzinfo=UTC)) == ss.Windowed(wanted, every=MONTHLY).next_run(
        datetime(2031, 1, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", PARIS, "pytz"])
def test_timestamps_of_pandas(unit: str, zone: str | None) -> None:
    pandas = load("pandas")
    place = load("pytz").timezone(PARIS) if zone == "pytz" else zone
    wanted = JULY.replace(tzinfo=None if zone is None else ZoneInfo(PARIS if zone == "pytz" else zone))
    check_moment(pandas.Timestamp("2030-07-01T09:00", tz=place).as_unit(unit), wanted)
    rate = ss.Rate(pandas.Timedelta(minutes=5).as_unit(unit), start=pandas.Timestamp(JULY).as_unit(unit))
    assert rate == ss.Rate(timedelta(minutes=5), start=JULY)
    assert rate.next_run(datetime(2300, 1, 1, tzinfo=UTC)) is not None


def test_nanoseconds_and_the_missing_time_of_pandas() -> None:
    pandas = load("pandas")
    once = ss.OneTime(pandas.Timestamp("2030-01-01T09:00:00.000000500"))
    assert str(once) == "at(2030-01-01T09:00:01)"
    for ask in (lambda: ss.OneTime(pandas.NaT), lambda: ss.Rate(pandas.NaT), lambda: FakeClock(pandas.NaT)):
        with pytest.raises(ValueError, match="NaT"):
            ask()


def test_datetimes_of_pendulum() -> None:
    pendulum = load("pendulum")
    check_moment(pendulum.datetime(2030, 7, 1, 9, tz=PARIS), JULY)
    check_moment(pendulum.datetime(2030, 7, 1, 9), datetime(2030, 7, 1, 9, tzinfo=ZoneInfo("UTC")))
    assert ss.Rate(pendulum.duration(minutes=5)) == ss.Rate(timedelta(minutes=5))
    day = pendulum.datetime(2030, 1, 2) - pendulum.datetime(2030, 1, 1)
    assert ss.Rate(day) == ss.Rate(timedelta(days=1))
    with pytest.raises(ss.InvalidScheduleError, match="with months or years"):
        ss.Rate(pendulum.duration(months=1))
    assert is_plain(ss.Rate(timedelta(minutes=5)).next_run(pendulum.now("UTC")))
    clock = FakeClock(pendulum.datetime(2030, 1, 1))
    clock.advance(pendulum.duration(hours=1))
    assert is_plain(clock.now())
    assert ss.Cron("0 9 * * ? *", timezone=pendulum.timezone(PARIS)).timezone == PARIS


def test_zones_of_pytz() -> None:
    paris = load("pytz").timezone(PARIS)
    check_moment(paris.localize(datetime(2030, 7, 1, 9)), JULY)
    second = paris.localize(datetime(2030, 10, 27, 2, 30), is_dst=False)
    assert ss.OneTime(second).instant.isoformat() == "2030-10-27T02:30:00+01:00"
    assert ss.Cron("0 9 * * ? *", timezone=paris).timezone == PARIS
    with pytest.warns(ss.ScheduleWarning, match=f"timezone='{PARIS}'"):
        ss.Windowed(datetime(2030, 7, 1, 9, tzinfo=paris), every=MONTHLY)


def test_zones_of_dateutil() -> None:
    tz = load("dateutil.tz")
    check_moment(datetime(2030, 7, 1, 9, tzinfo=tz.gettz(PARIS)), JULY)
    assert ss.Cron("0 9 * * ? *", timezone=tz.gettz(PARIS)).timezone == PARIS
    assert ss.Cron("0 9 * * ? *", timezone=tz.UTC).timezone == "UTC"
    with pytest.raises(ss.InvalidScheduleError, match="expected the name of a zone"):
        ss.Cron("0 9 * * ? *", timezone=tz.tzlocal())


def test_what_has_a_datetime_is_refused_with_it() -> None:
    arrow, numpy = load("arrow"), load("numpy")
    with pytest.raises(ss.InvalidScheduleError, match=r"got Arrow; use value\.datetime"):
        ss.OneTime(arrow.get(2030, 7, 1))
    with pytest.raises(ss.InvalidScheduleError, match=r"use value\.astype"):
        ss.OneTime(numpy.datetime64("2030-07-01T09:00"))
    with pytest.raises(ss.InvalidScheduleError, match=r"use value\.astype"):
        ss.Rate(numpy.timedelta64(5, "m"))
    daily = ss.Cron("0 9 * * ? *")
    assert len(daily.upcoming(numpy.int64(2))) == 2


def test_a_time_that_freezegun_stops_leaves_no_trace() -> None:
    """Its datetimes are of another class, and so is what this package calculates while it is stopped."""
    freeze_time = load("freezegun").freeze_time
    zone = "Pacific/Auckland"  # of no other test here, so that its years are computed in between
    with warnings.catch_warnings(), freeze_time("2030-01-01"):
        warnings.simplefilter("ignore")
        monthly = ss.Windowed("2030-01-31T09:00", every=MONTHLY, timezone=zone)
        daily = ss.Cron("0 9 * * ? *", timezone=zone)
        assert daily.next_run() == datetime(2030, 1, 1, 20, tzinfo=UTC)
        assert (monthly.next_run(), monthly.previous_run()) == (datetime(2030, 1, 30, 20, tzinfo=UTC), None)
    after = datetime(2030, 1, 1, tzinfo=UTC)
    for schedule in (monthly, daily):
        assert all(is_plain(run) for run in schedule.upcoming(3, after=after))
    assert is_plain(monthly.start)
