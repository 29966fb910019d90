"""What datetimes, durations and zones become at the door: plain values, whatever library they are from."""

from __future__ import annotations

import warnings
from datetime import date, datetime, timedelta, timezone, tzinfo
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.core.durations import plain_duration, read_duration, seconds_of, step_of
from stepsched.schedules.equivalents import aws_equivalent
from stepsched.schedules.moments import aware, plain_moment, read_moment
from stepsched.schedules.stored import reading_stored
from stepsched.testing import FakeClock

from .foreign import (
    Calendar,
    Failing,
    Filed,
    Fine,
    FineSpan,
    Fixed,
    Frozen,
    Key,
    Moment,
    NoTime,
    Span,
    Stamp,
    Wandering,
    Word,
    is_plain,
    like,
)
from .times import LAST, UTC, show, utc

PARIS = ZoneInfo("Europe/Paris")
SUMMER, WINTER = timedelta(hours=2), timedelta(hours=1)
JULY = datetime(2030, 7, 1, 9)
MONTHLY = ss.Frequency(months=1)
KINDS = [pytest.param(kind, id=kind.__name__) for kind in (Moment, Stamp, Frozen)]


def unnamed(name: str) -> ZoneInfo:
    with (files("tzdata") / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file)


# -- datetimes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(JULY, id="naive"),
        pytest.param(JULY.replace(tzinfo=UTC), id="UTC"),
        pytest.param(JULY.replace(tzinfo=timezone(SUMMER)), id="offset"),
        pytest.param(JULY.replace(tzinfo=PARIS), id="zone"),
        pytest.param(datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=PARIS), id="second pass"),
        pytest.param(datetime(2030, 3, 31, 2, 30, tzinfo=PARIS), id="gap"),
    ],
)
def test_a_subclass_becomes_the_plain_datetime(kind: type[datetime], moment: datetime) -> None:
    plain = plain_moment(like(kind, moment))
    assert is_plain(plain)
    assert (repr(plain), plain.fold) == (repr(moment), moment.fold)


def test_nanoseconds_are_rounded_up_to_a_microsecond() -> None:
    assert plain_moment(like(Fine, JULY)) == JULY.replace(microsecond=1)
    once = ss.OneTime(like(Fine, JULY))
    assert (str(once), show(once.instant)) == ("at(2030-07-01T09:00:01)", "2030-07-01 09:00:01+00:00")
    assert ss.OneTime.model_validate_json(once.model_dump_json()) == once


def test_nanoseconds_before_a_change_of_clocks_are_rounded_over_it() -> None:
    last = datetime(2030, 10, 27, 2, 59, 59, 999_999, tzinfo=PARIS)  # of the first pass
    assert plain_moment(like(Fine, last)).isoformat() == "2030-10-27T02:00:00+01:00"
    last = datetime(2030, 3, 31, 1, 59, 59, 999_999, tzinfo=PARIS)
    assert plain_moment(like(Fine, last)).isoformat() == "2030-03-31T03:00:00+02:00"


def test_nanoseconds_at_the_end_of_time_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a moment in the years 1 to 9999"):
        plain_moment(like(Fine, LAST.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        pytest.param(lambda value: ss.OneTime(value), ss.InvalidScheduleError, id="OneTime"),
        pytest.param(lambda value: ss.Windowed(value, every=MONTHLY), ss.InvalidScheduleError, id="Windowed"),
        pytest.param(lambda value: ss.Cron("0 9 * * ? *", start=value), ss.InvalidScheduleError, id="start"),
        pytest.param(lambda value: ss.Cron("0 9 * * ? *").next_run(value), ValueError, id="next_run"),
        pytest.param(lambda value: FakeClock(value), ValueError, id="FakeClock"),
        pytest.param(lambda value: ss.SchedulerClient().runs(since=value), ValueError, id="runs"),
    ],
)
def test_a_datetime_without_a_date_is_refused(ask: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="expected a datetime with a date, got NaT"):
        ask(NoTime(2030, 1, 1))


class Arrow:
    """As of arrow: no datetime, but it has one."""

    datetime = JULY


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        pytest.param(Arrow(), "got Arrow; use after.datetime", id="arrow"),
        pytest.param(date(2030, 7, 1), r"got date; add a time, such as datetime.combine\(after", id="date"),
        pytest.param(
            1_900_000_000, "got int; for seconds since 1970 use datetime.fromtimestamp", id="seconds"
        ),
        pytest.param("2030-07-01T09:00Z", "got str", id="text"),
        pytest.param(None, None, id="None"),
    ],
)
def test_what_is_no_datetime_is_refused_with_the_cure(value: object, cure: str | None) -> None:
    if cure is None:
        assert ss.Cron("0 9 * * ? *").next_run(None) is not None
        return
    with pytest.raises(TypeError, match=f"expected an aware datetime for after, {cure}"):
        ss.Cron("0 9 * * ? *").next_run(value)  # type: ignore[arg-type]


# -- zones of a datetime ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        pytest.param(PARIS, "Europe/Paris", id="ZoneInfo"),
        pytest.param(Key("Europe/Paris"), "Europe/Paris", id="subclass of ZoneInfo"),
        pytest.param(Fixed("Europe/Paris", SUMMER), "Europe/Paris", id="pytz"),
        pytest.param(Filed("/usr/share/zoneinfo/Europe/Paris", "Europe/Paris"), "Europe/Paris", id="file"),
        pytest.param(Filed("Europe/Paris", "Europe/Paris"), "Europe/Paris", id="name of a file"),
        pytest.param(UTC, "UTC", id="UTC"),
        pytest.param(ZoneInfo("Etc/UTC"), "Etc/UTC", id="an alias"),
    ],
)
def test_the_name_of_a_zone_is_kept(zone: tzinfo, name: str) -> None:
    schedule = ss.Windowed(JULY.replace(tzinfo=zone), every=MONTHLY)
    assert (schedule.timezone, type(schedule.timezone)) == (name, str)
    assert schedule == ss.Windowed(JULY, every=MONTHLY, timezone=name)
    once = ss.OneTime(JULY.replace(tzinfo=zone))
    assert (once.timezone, once.at) == (name, JULY)


def test_the_second_pass_of_a_zone_without_fold_is_kept() -> None:
    moment = datetime(2030, 10, 27, 2, 30, tzinfo=Fixed("Europe/Paris", WINTER))
    assert plain_moment(moment).fold == 1
    assert show(ss.OneTime(moment).instant) == "2030-10-27 02:30+01:00"


@pytest.mark.parametrize(
    ("zone", "start", "cure"),
    [
        pytest.param(timezone(SUMMER), "07:00", "name the zone, such as timezone='Europe/Paris'", id="UTC+2"),
        pytest.param(
            Fixed("Europe/Paris", timedelta(minutes=9)), "08:51", "use a start without tz", id="LMT"
        ),
        pytest.param(Fixed(None, SUMMER), "07:00", "name the zone", id="pytz offset"),
        pytest.param(Fixed("Mars/Base", SUMMER), "07:00", "name the zone", id="a name that is none"),
        pytest.param(Filed("/etc/localtime", "Europe/Paris"), "07:00", "name the zone", id="the machine's"),
        pytest.param(
            Filed("zoneinfo/Europe/Paris", "Africa/Cairo"), "06:00", "name the zone", id="other rules"
        ),
        pytest.param(unnamed("Europe/Paris"), "07:00", "name the zone", id="ZoneInfo without key"),
        pytest.param(
            Fixed("Asia/Tokyo", timedelta(0)), "09:00", "timezone='Asia/Tokyo'", id="not its offset"
        ),
    ],
)
def test_a_calendar_step_from_an_offset_alone_is_warned_of(zone: tzinfo, start: str, cure: str) -> None:
    moment = JULY.replace(tzinfo=zone)
    with pytest.warns(ss.ScheduleWarning, match=cure) as caught:
        schedule = ss.Windowed(moment, every=MONTHLY)
    assert (f"{schedule.start:%H:%M}", schedule.timezone) == (start, "UTC")
    assert caught[0].filename == __file__


def test_a_calendar_step_from_text_with_an_offset_is_warned_of() -> None:
    with pytest.warns(
        ss.ScheduleWarning, match=r"start 2030-07-01T09:00:00\+02:00 has an offset and no zone"
    ):
        ss.Windowed("2030-07-01T09:00+02:00", every=ss.Frequency(days=1, hours=1))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ss.Windowed("2030-07-01T09:00Z", every=MONTHLY), id="Z"),
        pytest.param(lambda: ss.Windowed("2030-07-01T09:00", every=MONTHLY), id="naive"),
        pytest.param(
            lambda: ss.Windowed("2030-07-01T09:00+02:00", every=ss.Frequency(hours=24)), id="elapsed"
        ),
        pytest.param(
            lambda: ss.Windowed("2030-07-01T09:00+02:00", every=MONTHLY, timezone="UTC"), id="UTC is named"
        ),
        pytest.param(lambda: ss.OneTime("2030-07-01T09:00+02:00"), id="one time"),
        pytest.param(
            lambda: ss.Windowed.from_document(
                {
                    "startDateTime": "2030-07-01T09:00+02:00",
                    "endDateTime": "2031-07-01T09:00+02:00",
                    "frequency": {"days": 1},
                }
            ),
            id="a document, which is in UTC",
        ),
    ],
)
def test_where_no_zone_is_lost_there_is_no_warning(make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ss.ScheduleWarning)
        make()


def test_a_stored_schedule_is_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ss.ScheduleWarning)
        with reading_stored():
            ss.Windowed("2030-07-01T09:00+02:00", every=MONTHLY)
            ss.Windowed("2030-03-31T02:30", every=MONTHLY, timezone="Europe/Paris")


@pytest.mark.parametrize(
    "zone",
    [pytest.param(Failing(), id="fails"), pytest.param(Fixed("UTC", timedelta(days=2)), id="two days")],
)
def test_a_zone_that_does_not_work_is_refused(zone: tzinfo) -> None:
    moment = JULY.replace(tzinfo=zone)
    with pytest.raises(ss.InvalidScheduleError, match="expected a datetime with a date, got"):
        ss.OneTime(moment)
    with pytest.raises(ValueError, match=r"^after: expected a datetime"):
        ss.Cron("0 9 * * ? *").next_run(after=moment)


def test_a_zone_is_asked_once() -> None:
    zone = Wandering()
    rate = ss.Rate(timedelta(hours=1), start=JULY.replace(tzinfo=zone))
    assert (zone.asked, rate.start) == (1, utc("2030-07-01 08:00"))


def test_an_aware_start_in_a_gap_is_its_wall_time() -> None:
    with pytest.warns(ss.ScheduleWarning, match=r"moves to 2030-03-31T03:30:00\+02:00"):
        daily = ss.Windowed(datetime(2030, 3, 31, 2, 30, tzinfo=PARIS), every=ss.Frequency(days=1))
    with pytest.warns(ss.ScheduleWarning):
        assert daily == ss.Windowed("2030-03-31T02:30", every=ss.Frequency(days=1), timezone="Europe/Paris")


# -- zones by name ---------------------------------------------------------------------------------

ZONED = [
    pytest.param(lambda zone: ss.Cron("0 9 * * ? *", timezone=zone), id="Cron"),
    pytest.param(lambda zone: ss.Cron.from_crontab("0 9 * * *", timezone=zone), id="from_crontab"),
    pytest.param(lambda zone: ss.OneTime("2030-07-01T09:00", timezone=zone), id="OneTime"),
    pytest.param(lambda zone: ss.OneTime.from_expression("at(2030-07-01T09:00)", timezone=zone), id="at"),
    pytest.param(lambda zone: ss.Windowed(JULY, every=MONTHLY, timezone=zone), id="Windowed"),
    pytest.param(lambda zone: ss.parse_schedule("cron(0 9 * * ? *)", timezone=zone), id="parse_schedule"),
    pytest.param(
        lambda zone: ss.job("cron(0 9 * * ? *)", timezone=zone, name="a")(lambda: None).job.schedule, id="job"
    ),
    pytest.param(lambda zone: ss.Cron("0 9 * * ? *").replace(timezone=zone), id="replace"),
]


@pytest.mark.parametrize("make", ZONED)
@pytest.mark.parametrize(
    ("zone", "name"),
    [
        pytest.param(PARIS, "Europe/Paris", id="ZoneInfo"),
        pytest.param(Key("Europe/Paris"), "Europe/Paris", id="subclass of ZoneInfo"),
        pytest.param(Fixed("Europe/Paris", timedelta(minutes=9)), "Europe/Paris", id="pytz"),
        pytest.param(
            Filed("/usr/share/zoneinfo/Europe/Paris", "Europe/Paris"), "Europe/Paris", id="dateutil"
        ),
        pytest.param(UTC, "UTC", id="UTC"),
        pytest.param(Word("Europe/Paris"), "Europe/Paris", id="text of another class"),
    ],
)
def test_a_zone_is_taken_where_its_name_is(make: Any, zone: Any, name: str) -> None:
    schedule = make(zone)
    assert (schedule.timezone, type(schedule.timezone)) == (name, str)
    assert schedule == make(name)
    assert schedule.next_run(utc("2026-01-01")) == make(name).next_run(utc("2026-01-01"))


@pytest.mark.parametrize("make", ZONED)
@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(timezone(SUMMER), id="offset"),
        pytest.param(Fixed(None, SUMMER), id="pytz offset"),
        pytest.param(unnamed("Europe/Paris"), id="ZoneInfo without key"),
        pytest.param(Filed("/etc/localtime", "Europe/Paris"), id="the machine's own"),
        pytest.param(5, id="number"),
    ],
)
def test_a_zone_without_a_name_is_refused(make: Any, zone: Any) -> None:
    with pytest.raises(
        ss.InvalidScheduleError, match="expected the name of a zone, such as 'Europe/Paris', or"
    ):
        make(zone)


@pytest.mark.parametrize("name", ["Factory", "localtime", "posixrules", "posix/UTC", "right/UTC"])
def test_what_is_no_zone_is_not_proposed(name: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Cron("0 9 * * ? *", timezone=name)
    assert f"did you mean {name!r}" not in caught.value.reason


# -- text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2030-01-01T09:00:00.0000005", "2030-01-01T09:00:00.000001", id="half a microsecond"),
        pytest.param("2030-01-01T09:00:00.0000000", "2030-01-01T09:00:00", id="noughts"),
        pytest.param("2030-01-01T09:00:00.123456789Z", "2030-01-01T09:00:00.123457+00:00", id="nanoseconds"),
        pytest.param("2030-01-01T09:00:00,1234561+01:00", "2030-01-01T09:00:00.123457+01:00", id="comma"),
        pytest.param("2030-01-01T23:59:59.9999999", "2030-01-02T00:00:00", id="over midnight"),
    ],
)
def test_fractions_finer_than_a_microsecond_are_rounded_up(text: str, moment: str) -> None:
    assert read_moment(text).isoformat() == moment
    assert is_plain(read_moment(text))


@pytest.mark.parametrize(
    ("text", "moment", "zone"),
    [
        pytest.param("2030-01-01T09:00+01:00[Europe/Paris]", "2030-01-01T09:00:00+01:00", True, id="winter"),
        pytest.param(
            "2030-07-01T09:00+02:00[!Europe/Paris]", "2030-07-01T09:00:00+02:00", True, id="critical"
        ),
        pytest.param("2030-07-01T09:00Z[Europe/Paris]", "2030-07-01T11:00:00+02:00", True, id="Z"),
        pytest.param("2030-07-01T09:00-00:00[Europe/Paris]", "2030-07-01T11:00:00+02:00", True, id="-00:00"),
        pytest.param("2030-07-01T09:00[Europe/Paris]", "2030-07-01T09:00:00+02:00", True, id="no offset"),
        pytest.param(
            "2030-10-27T02:30+01:00[Europe/Paris]", "2030-10-27T02:30:00+01:00", True, id="2nd pass"
        ),
        pytest.param(
            "2030-10-27T02:30+02:00[Europe/Paris]", "2030-10-27T02:30:00+02:00", True, id="1st pass"
        ),
        pytest.param(
            "2030-01-01T09:00+01:00[Europe/Paris][u-ca=hebrew]", "2030-01-01T09:00:00+01:00", True, id="u-ca"
        ),
        pytest.param(
            "2030-01-01T09:00+01:00[!u-ca=gregory][x-foo=bar]",
            "2030-01-01T09:00:00+01:00",
            False,
            id="no zone",
        ),
        pytest.param(
            "2030-01-01T09:00+01:00[_foo=b1-b2]", "2030-01-01T09:00:00+01:00", False, id="experiment"
        ),
        pytest.param("2030-01-01T09:00+01:00[+01:00]", "2030-01-01T09:00:00+01:00", False, id="offset"),
        pytest.param(
            "2030-01-01T09:00:00.0000005+01:00[Europe/Paris]",
            "2030-01-01T09:00:00.000001+01:00",
            True,
            id="ns",
        ),
    ],
)
def test_text_of_rfc_9557_is_read_with_its_zone(text: str, moment: str, zone: bool) -> None:
    read = read_moment(text)
    assert (read.isoformat(), isinstance(read.tzinfo, ZoneInfo)) == (moment, zone)
    assert is_plain(read)
    assert ss.OneTime(text).timezone == ("Europe/Paris" if zone else "UTC")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "2030-07-01T09:00+01:00[Europe/Paris]",
            "contradict each other: at that instant it is 2030-07-01T10:00:00+02:00 in Europe/Paris; use "
            "'2030-07-01T09:00:00+01:00' or '2030-07-01T10:00:00+02:00[Europe/Paris]'",
            id="another offset",
        ),
        pytest.param("2030-03-31T02:30+01:00[Europe/Paris]", "it is 2030-03-31T03:30:00+02:00", id="a gap"),
        pytest.param("2030-07-01T09:00+02:00[+03:00]", "it is 2030-07-01T10:00:00+03:00 in +03:00", id="two"),
        pytest.param("2030-07-01T09:00+02:00[Europe/Pari]", "did you mean 'Europe/Paris'?", id="no zone"),
        pytest.param("2030-07-01T09:00+02:00[!u-ca=hebrew]", "[!u-ca=hebrew]", id="critical calendar"),
        pytest.param("2030-07-01T09:00+02:00[!foo=bar]", "is critical and unknown here", id="critical"),
        pytest.param("2030-07-01T09:00+02:00[Europe/Paris][Asia/Tokyo]", "got [Asia/Tokyo]", id="two zones"),
        pytest.param("2030-07-01T09:00+02:00[]", "'' is not an IANA time zone", id="empty"),
        pytest.param("2030-07-01T09:00+02:00[Europe/Paris", "expected a date and a time", id="open"),
        pytest.param("2030-07-01T09:00+02:00[Europe/Paris]Z", "expected a date and a time", id="behind"),
        pytest.param("2030-07-01T09:00[U-CA=hebrew]", "expected a suffix such as", id="capitals"),
    ],
)
def test_text_of_rfc_9557_that_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.OneTime(text)
    assert (caught.value.field, words in caught.value.reason) == ("at", True), caught.value.reason


def test_a_text_of_another_class_is_read_as_its_characters() -> None:
    assert ss.OneTime(Word("2030-01-01T09:00")) == ss.OneTime("2030-01-01T09:00")
    cron = ss.Cron(Word("0 9 * * ? *"))
    assert (cron, type(cron.expression)) == (ss.Cron("0 9 * * ? *"), str)
    crontab = ss.Cron.from_crontab(Word("0 9 1 * 1"))
    assert (crontab, type(crontab.crontab)) == (ss.Cron.from_crontab("0 9 1 * 1"), str)
    assert ss.parse_schedule(Word("rate(5 minutes)")) == ss.Rate(timedelta(minutes=5))
    assert ss.Rate.from_expression(Word("rate(5 minutes)")) == ss.Rate(timedelta(minutes=5))


# -- durations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        pytest.param(Span(minutes=5), timedelta(minutes=5), id="subclass"),
        pytest.param(Span(days=-1, microseconds=3), timedelta(days=-1, microseconds=3), id="negative"),
        pytest.param(FineSpan(seconds=1), timedelta(seconds=1, microseconds=1), id="a nanosecond more"),
        pytest.param(FineSpan(seconds=-1), timedelta(microseconds=-999_999), id="a nanosecond later"),
    ],
)
def test_a_subclass_becomes_the_plain_timedelta(value: timedelta, plain: timedelta) -> None:
    assert (plain_duration(value), type(plain_duration(value))) == (plain, timedelta)
    assert type(step_of(value, "step")) is type(read_duration(value)) is timedelta


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        pytest.param("PT5M", timedelta(minutes=5), id="minutes"),
        pytest.param("P1W2DT3H4M5.5S", timedelta(9, 3 * 3600 + 245, 500_000), id="all"),
        pytest.param("PT0.0000001S", timedelta(microseconds=1), id="rounded up"),
        pytest.param("-PT1.0000001S", timedelta(seconds=-1), id="negative, rounded up"),
        pytest.param("P0.5D", timedelta(hours=12), id="half a day"),
    ],
)
def test_a_duration_as_text_is_read(text: str, duration: timedelta) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    "value",
    [
        "P",
        "PT",
        "P1D1W",
        "PT1",
        "P1Y",
        "P1M",
        "5",
        "PT5m",
        "PT1E5S",
        " PT5M",
        "P" + "9" * 99 + "D",
        5,
        None,
        NoTime(1, 1, 1),
    ],
    ids=repr,
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a timedelta, such as timedelta"):
        read_duration(value)


@pytest.mark.parametrize("value", ["P999999999999D", FineSpan.max], ids=["text", "nanosecond"])
def test_a_duration_longer_than_a_timedelta_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration that a timedelta can hold"):
        read_duration(FineSpan(timedelta.max.days, 86_399, 999_999) if value is FineSpan.max else value)


def test_a_duration_with_months_is_refused() -> None:
    with pytest.raises(ss.InvalidScheduleError, match="with months or years; use Windowed"):
        ss.Rate(Calendar(days=30))
    with pytest.raises(ValueError, match="with months or years"):
        seconds_of(Calendar(days=30), "timeout")


def test_a_timeout_of_a_subclass_is_a_plain_number() -> None:
    assert (seconds_of(Span(minutes=5), "timeout"), type(seconds_of(Span(minutes=5), "timeout"))) == (
        300.0,
        float,
    )


# -- caches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_does_not_change_the_answers_of_equal_schedules(kind: type[datetime]) -> None:
    """The grids and the equivalents of windows are cached by equality. No other test uses these starts."""
    day = 1 + KINDS.index(pytest.param(kind, id=kind.__name__))
    start = datetime(2030, 1, day, 9, 0, 7)
    foreign = ss.Windowed(like(kind, start), every=ss.Frequency(hours=1))
    assert show(foreign.next_run(utc("2030-05-01"))) == "2030-05-01 00:00:07+00:00"
    plain = ss.Windowed(start.isoformat(), every=ss.Frequency(hours=1))
    assert show(plain.next_run(utc("2300-05-01"))) == "2300-05-01 00:00:07+00:00"
    for schedule in (foreign, plain):
        equal = aws_equivalent(schedule)
        assert isinstance(equal, ss.Rate)
        assert is_plain(schedule.start)
        assert is_plain(equal.start)


def test_an_instant_of_a_subclass_is_an_instant() -> None:
    after = aware(like(Moment, JULY.replace(tzinfo=PARIS)), "after")
    assert (after, is_plain(after)) == (utc("2030-07-01 07:00"), True)
