"""Schedules in English."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.schedules import words

from .times import utc


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("0 9 ? * MON-FRI *", "At 09:00, Monday to Friday", id="working days"),
        pytest.param("* * * * ? *", "Every minute", id="every minute"),
        pytest.param("*/5 * * * ? *", "Every 5 minutes", id="minutes"),
        pytest.param("0,30 * * * ? *", "Every 30 minutes", id="a list that is a step"),
        pytest.param(
            "0/25 * * * ? *", "At minutes 0, 25 and 50 past every hour", id="a step that does not fill"
        ),
        pytest.param("1/30 * * * ? *", "At minutes 1 and 31 past every hour", id="a step that starts late"),
        pytest.param(
            "1/2 * * * ? *",
            "At every 2nd minute from 1 to 59 past every hour",
            id="a long step",
        ),
        pytest.param("*/15 0,12 * * ? *", "Every 15 minutes in the hours 0 and 12", id="two hours"),
        pytest.param("0 1/2 * * ? *", "Every 2 hours from 01:00 to 23:00", id="odd hours, all"),
        pytest.param(
            "5 1/2 * * ? *", "At minute 5 past every 2nd hour from 1 to 23", id="a minute of all odd hours"
        ),
        pytest.param("* 1/2 * * ? *", "Every minute in every 2nd hour from 1 to 23", id="all of odd hours"),
        pytest.param(
            "0 0 */2 * ? *", "At 00:00, on every 2nd day from the 1st to the 31st", id="every other day"
        ),
        pytest.param(
            "0 0 1 1 ? 2030/2",
            "At 00:00, on the 1st, in January, in every 2nd year from 2030",
            id="long years",
        ),
        pytest.param(
            "0 0 1 1 ? 2030-2100/3",
            "At 00:00, on the 1st, in January, in every 3rd year from 2030 to 2099",
            id="long years with an end",
        ),
        pytest.param(
            "0 0 1 1 ? 2030/2,2031/3",
            "At 00:00, on the 1st, in January, in 114 of the years 2030 to 2199",
            id="years without a step",
        ),
        pytest.param("0 * * * ? *", "Every hour", id="every hour"),
        pytest.param("0 */2 * * ? *", "Every 2 hours", id="hours"),
        pytest.param("0 0/7 * * ? *", "At 00:00, 07:00, 14:00 and 21:00", id="hours that do not fill"),
        pytest.param("30 */2 * * ? *", "At minute 30 past every 2nd hour", id="minute of every other hour"),
        pytest.param(
            "*/15 */3 * * ? *", "Every 15 minutes in every 3rd hour", id="minutes of every third hour"
        ),
        pytest.param("0 9-17 * * ? *", "Every hour from 09:00 to 17:00", id="hours of the day"),
        pytest.param("*/15 9-17 * * ? *", "Every 15 minutes from 09:00 to 17:59", id="minutes of the day"),
        pytest.param(
            "5 9-17 * * ? *", "At minute 5 past every hour from 09:00 to 17:59", id="a minute of hours"
        ),
        pytest.param("* 22-2 * * ? *", "Every minute in the hours 0 to 2, 22 and 23", id="through midnight"),
        pytest.param(
            "0 1,3,5,7,9,11,13 * * ? *", "Every hour in the hours 1, 3, 5, 7, 9, 11 and 13", id="odd hours"
        ),
        pytest.param("5,35 14 * * ? *", "At 14:05 and 14:35", id="two times"),
        pytest.param(
            "0-29 9 * * ? *", "At minutes 0 to 29 past every hour from 09:00 to 09:59", id="half an hour"
        ),
        pytest.param("0 0 1,15 * ? *", "At 00:00, on the 1st and 15th", id="days"),
        pytest.param(
            "0 0 2,3,11-13,22,23 * ? *",
            "At 00:00, on the 2nd, 3rd, 11th to 13th, 22nd and 23rd",
            id="ordinals",
        ),
        pytest.param("0 0 21,31 * ? *", "At 00:00, on the 21st and 31st", id="more ordinals"),
        pytest.param("0 0 1-31 * ? *", "At 00:00", id="all days"),
        pytest.param("0 0 ? * SUN-SAT *", "At 00:00", id="all weekdays"),
        pytest.param("0 0 L * ? *", "At 00:00, on the last day of the month", id="L"),
        pytest.param("0 0 L-1 * ? *", "At 00:00, 1 day before the last day of the month", id="L-1"),
        pytest.param("0 0 L-3 * ? *", "At 00:00, 3 days before the last day of the month", id="L-3"),
        pytest.param("0 0 LW * ? *", "At 00:00, on the last weekday of the month, Monday to Friday", id="LW"),
        pytest.param("0 0 15W * ? *", "At 00:00, on the weekday nearest the 15th", id="W"),
        pytest.param("0 0 ? * L *", "At 00:00, Saturday", id="bare L"),
        pytest.param("0 0 ? * SAT,SUN *", "At 00:00, Saturday and Sunday", id="week-end"),
        pytest.param("0 0 ? * FRI-MON *", "At 00:00, Monday and Friday to Sunday", id="long week-end"),
        pytest.param("0 0 ? * 6L *", "At 00:00, on the last Friday of the month", id="6L"),
        pytest.param("0 0 ? * 2#1 *", "At 00:00, on the first Monday of the month", id="2#1"),
        pytest.param("0 0 ? * SUN#5 *", "At 00:00, on the fifth Sunday of the month", id="1#5"),
        pytest.param("0 0 1 1 ? *", "At 00:00, on the 1st, in January", id="a month"),
        pytest.param(
            "0 0 1 NOV-JAN,6 ? *",
            "At 00:00, on the 1st, in January, June, November and December",
            id="months",
        ),
        pytest.param(
            "0 0 1 1-3 ? 2025-2027,2030",
            "At 00:00, on the 1st, in January to March, in 2025 to 2027 and 2030",
            id="years",
        ),
    ],
)
def test_a_cron_reads_as_words(expression: str, expected: str) -> None:
    assert ss.Cron(expression, timezone="Asia/Tokyo").describe() == f"{expected}, Asia/Tokyo"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("0 0 13 * 5", "At 00:00, on the 13th or Friday, UTC", id="either day field"),
        pytest.param(
            "0 0 1,L 2 *",
            "At 00:00, on the 1st or on the last day of the month, in February, UTC",
            id="two rules",
        ),
        pytest.param("@weekly", "At 00:00, Sunday, UTC", id="shortcut"),
    ],
)
def test_a_crontab_line_reads_as_words(line: str, expected: str) -> None:
    assert ss.Cron.from_crontab(line).describe() == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (1, "Every minute"),
        (5, "Every 5 minutes"),
        (60, "Every hour"),
        (90, "Every 90 minutes"),
        (2880, "Every 2 days"),
    ],
)
def test_a_rate_reads_as_words(minutes: int, expected: str) -> None:
    assert ss.Rate(timedelta(minutes=minutes)).describe() == expected


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        pytest.param(ss.Frequency(quarters=1), "Every quarter", id="one"),
        pytest.param(ss.Frequency(months=11), "Every 11 months", id="eleven"),
        pytest.param(ss.Frequency(seconds=10), "Every 10 seconds", id="ten seconds"),
        pytest.param(ss.Frequency(seconds=1), "Every second", id="each second"),
        pytest.param(ss.Frequency(minutes=1, seconds=30), "Every 1 minute and 30 seconds", id="minute and"),
        pytest.param(ss.Frequency(years=1, months=2), "Every 1 year and 2 months", id="joined"),
    ],
)
def test_a_calendar_step_reads_as_words(every: ss.Frequency, expected: str) -> None:
    schedule = ss.Windowed("2030-01-31T09:00:05", every=every)
    assert schedule.describe() == f"{expected} from 31 January 2030 at 09:00:05, UTC"


def test_a_window_reads_as_words_and_nothing_as_none() -> None:
    start, end = utc("2030-01-01"), utc("2031-12-31 23:59:59")
    assert words.window(None, None) == ""
    assert words.window(start, None) == ", from 1 January 2030 at 00:00 UTC"
    assert words.window(None, end) == ", until 31 December 2031 at 23:59:59 UTC"


@pytest.mark.parametrize(
    ("day", "name"),
    [("2025-06-01", "Sunday 1 June"), ("2025-06-02", "Monday 2 June"), ("2025-06-07", "Saturday 7 June")],
)
def test_a_date_is_named_by_its_weekday(day: str, name: str) -> None:
    assert ss.OneTime(f"{day}T12:00").describe() == f"Once, on {name} 2025 at 12:00, UTC"


@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
@pytest.mark.parametrize(
    ("start", "end", "every", "expected"),
    [
        pytest.param(
            "2030-03-31T02:30",
            None,
            {"days": 1},
            "Every day from 31 March 2030 at 02:30",
            id="in a gap",
        ),
        pytest.param(
            "2030-03-31T02:30",
            None,
            {"hours": 1},
            "Every hour from 31 March 2030 at 03:30",
            id="elapsed",
        ),
        pytest.param(
            "2030-01-01T02:30",
            "2030-03-31T02:30",
            {"days": 1},
            "Every day from 1 January 2030 at 02:30 until 31 March 2030 at 02:30",
            id="end in a gap",
        ),
        pytest.param(
            "2030-10-27T02:30",
            None,
            {"days": 1},
            "Every day from 27 October 2030 at 02:30 (+02:00)",
            id="first pass",
        ),
        pytest.param(
            "2030-10-27T02:30+01:00",
            "2031-10-26T02:30+01:00",
            {"days": 1},
            "Every day from 27 October 2030 at 02:30 (+01:00) until 26 October 2031 at 02:30 (+01:00)",
            id="second pass",
        ),
        pytest.param(
            "2030-01-01T09:00:00.5",
            None,
            {"days": 1},
            "Every day from 1 January 2030 at 09:00:00.500000",
            id="s",
        ),
    ],
)
def test_a_window_at_a_change_of_clocks_reads_as_given(
    start: str, end: str | None, every: dict[str, int], expected: str
) -> None:
    window = ss.Windowed(start, end=end, every=ss.Frequency(**every), timezone="Europe/Paris")
    assert window.describe() == f"{expected}, Europe/Paris"


def test_an_offset_with_seconds_is_shown_as_it_is() -> None:
    assert ss.OneTime("1918-09-15T23:00", timezone="Asia/Manila").describe().endswith(", Asia/Manila")
    first = ss.OneTime("1919-03-31T23:30", timezone="Africa/Monrovia")
    assert first.describe() == "Once, on Monday 31 March 1919 at 23:30, Africa/Monrovia"
    second = ss.OneTime(datetime(1911, 3, 10, 23, 55, tzinfo=ZoneInfo("Europe/Paris")))
    assert second.describe() == "Once, on Friday 10 March 1911 at 23:55 (+00:09:21), Europe/Paris"


def test_the_passes_of_a_repeated_hour_have_different_descriptions() -> None:
    first = ss.OneTime("2030-10-27T02:30", timezone="Europe/Paris")
    second = ss.OneTime("2030-10-27T02:30+01:00", timezone="Europe/Paris")
    assert first.describe() == "Once, on Sunday 27 October 2030 at 02:30 (+02:00), Europe/Paris"
    assert str(second) == "Once, on Sunday 27 October 2030 at 02:30 (+01:00), Europe/Paris"
