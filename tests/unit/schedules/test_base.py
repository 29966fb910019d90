"""What every schedule promises, whatever its kind."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.schedules import AnySchedule, Schedule
from stepsched.schedules.base import ScheduleBase
from stepsched.schedules.moments import read_instant, read_moment

from .times import FIRST, LAST, UTC, show, shown, utc

HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
NEW_YEAR = utc("2030-01-01")

KINDS = [
    pytest.param(ss.OneTime("2031-01-01T09:00", timezone="Europe/Paris"), id="one_time"),
    pytest.param(
        ss.OneTime(datetime(2031, 10, 26, 2, 30, fold=1, tzinfo=PARIS)), id="one_time in the second pass"
    ),
    pytest.param(ss.Rate(timedelta(minutes=5)), id="rate"),
    pytest.param(
        ss.Rate(HOUR, start=utc("2030-06-01 00:00:30"), end=utc("2031-06-01")), id="rate in a window"
    ),
    pytest.param(ss.Cron("0 9 ? * MON-FRI", timezone="America/New_York"), id="cron"),
    pytest.param(ss.Cron("0 9 L * ? *", start=NEW_YEAR, end=utc("2032-01-01")), id="cron in a window"),
    pytest.param(ss.Cron.from_crontab("0 9 13 * 5", timezone="Asia/Tokyo"), id="crontab"),
    pytest.param(
        ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), timezone="Europe/Paris"), id="windowed"
    ),
    pytest.param(
        ss.Windowed(
            datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=PARIS),
            end="2031-10-27T02:30",
            every=ss.Frequency(weeks=1, hours=6),
        ),
        id="windowed from the second pass",
    ),
]
every_kind = pytest.mark.parametrize("schedule", KINDS)
adapter: TypeAdapter[Schedule] = TypeAdapter(AnySchedule)


# -- values ----------------------------------------------------------------------------------------


@every_kind
def test_json_and_back_is_the_same_schedule(schedule: Schedule) -> None:
    text = schedule.model_dump_json()
    again = type(schedule).model_validate_json(text)
    assert again == schedule
    assert again.model_dump_json() == text


@every_kind
def test_localise_gives_the_instant_of_a_run_as_the_run_itself_has_it(schedule: Schedule) -> None:
    for run in islice(schedule.runs(after=NEW_YEAR), 400):
        again = schedule.localise(run.astimezone(UTC))
        assert (again, again.utcoffset(), type(again.tzinfo)) == (run, run.utcoffset(), timezone)


def test_localise_gives_any_instant_the_offset_of_the_zone_at_that_instant() -> None:
    schedule = ss.Cron("0 2 * * ? *", timezone="Asia/Tokyo")
    assert str(schedule.localise(utc("2030-01-31 17:30"))) == "2030-02-01 02:30:00+09:00"
    new_york = ss.OneTime("2031-01-01T09:00", timezone="America/New_York")
    assert str(new_york.localise(datetime(2030, 7, 1, 12, tzinfo=PARIS))) == "2030-07-01 06:00:00-04:00"


def test_localise_gives_utc_where_there_is_no_zone_or_no_such_wall_time() -> None:
    tokyo = datetime(2030, 1, 1, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert str(ss.Rate(HOUR).localise(tokyo)) == "2030-01-01 00:00:00+00:00"
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)
    assert str(ss.Cron("0 2 * * ? *", timezone="Asia/Tokyo").localise(last)) == str(last)


def test_localise_refuses_a_moment_that_names_no_instant() -> None:
    with pytest.raises(ValueError, match="instant is naive"):
        ss.Rate(HOUR).localise(datetime(2030, 1, 1))


@every_kind
def test_the_kind_tells_the_schedules_of_a_document_apart(schedule: Schedule) -> None:
    document = json.loads(schedule.model_dump_json())
    assert document["kind"] == schedule.kind
    again = adapter.validate_python(document)
    assert type(again) is type(schedule)
    assert again == schedule
    assert adapter.validate_json(adapter.dump_json(schedule)) == schedule


@every_kind
def test_a_python_dump_and_back_is_the_same_schedule(schedule: Schedule) -> None:
    assert type(schedule).model_validate(schedule.model_dump()) == schedule


@every_kind
def test_it_survives_pickle_and_deepcopy(schedule: Schedule) -> None:
    for again in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert again.upcoming(3, after=NEW_YEAR) == schedule.upcoming(3, after=NEW_YEAR)


@every_kind
def test_equal_schedules_hash_alike_and_others_differ(schedule: Schedule) -> None:
    twin = type(schedule).model_validate_json(schedule.model_dump_json())
    assert twin is not schedule
    assert {schedule: "value"}[twin] == "value"
    others = [param.values[0] for param in KINDS if param.values[0] is not schedule]
    assert schedule not in others
    assert len({schedule, twin, *others}) == len(KINDS)


@every_kind
def test_asking_leaves_no_trace_in_the_value(schedule: Schedule) -> None:
    before = pickle.dumps(schedule)
    list(islice(schedule.runs(after=NEW_YEAR), 3))
    schedule.previous_run(LAST)
    assert pickle.dumps(schedule) == before


@every_kind
def test_it_is_frozen(schedule: Schedule) -> None:
    for name in type(schedule).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(schedule, name, None)


@every_kind
def test_replacing_nothing_gives_an_equal_schedule(schedule: Schedule) -> None:
    assert schedule.replace() == schedule


def test_replace_changes_what_is_named_and_nothing_else() -> None:
    cron = ss.Cron("0 9 * * ? *", timezone="Europe/Paris", start=NEW_YEAR)
    moved = cron.replace(timezone="Asia/Tokyo")
    assert moved == ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo", start=NEW_YEAR)
    assert cron.timezone == "Europe/Paris"
    assert cron.replace(start=None) == ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    assert ss.Rate(HOUR).replace(every=2 * HOUR) == ss.Rate(2 * HOUR)
    assert ss.Cron.from_crontab("0 9 13 * 5").replace(timezone="Asia/Tokyo") == ss.Cron.from_crontab(
        "0 9 13 * 5", timezone="Asia/Tokyo"
    )


@pytest.mark.parametrize(
    ("schedule", "changes", "field"),
    [
        pytest.param(ss.Cron("0 9 * * ? *"), {"timezone": "Mars/Olympus"}, "timezone", id="zone"),
        pytest.param(ss.Cron("0 9 * * ? *"), {"expression": "0 9 * *"}, "expression", id="expression"),
        pytest.param(ss.Rate(HOUR), {"every": timedelta(seconds=1)}, "every", id="interval"),
        pytest.param(ss.Rate(HOUR, start=NEW_YEAR), {"end": NEW_YEAR}, "start", id="window"),
        pytest.param(ss.OneTime("2030-01-01T09:00"), {"at": "tomorrow"}, "at", id="at"),
    ],
)
def test_replace_validates_like_the_constructor(
    schedule: Schedule, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        schedule.replace(**changes)
    assert caught.value.field == field


@every_kind
def test_replace_refuses_a_field_that_is_not_there(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match="has no field colour"):
        schedule.replace(colour="red")


@every_kind
def test_a_document_with_an_unknown_key_is_refused_by_its_name(schedule: Schedule) -> None:
    document = {**json.loads(schedule.model_dump_json()), "colour": "red"}
    with pytest.raises(ValueError, match=r"unknown.* colour"):
        type(schedule).model_validate(document)
    with pytest.raises(ValueError, match=r"unknown.* colour"):
        adapter.validate_json(json.dumps(document))


@pytest.mark.parametrize(
    ("model", "document", "missing"),
    [
        pytest.param(ss.OneTime, {"kind": "one_time", "timezone": "UTC"}, "at", id="one_time"),
        pytest.param(ss.Rate, {"kind": "rate"}, "every", id="rate"),
        pytest.param(ss.Windowed, {"start": "2030-01-01T00:00"}, "every", id="windowed"),
        pytest.param(ss.Windowed, {}, "every, start", id="windowed without anything"),
    ],
)
def test_a_document_that_lacks_a_key_is_refused_by_its_name(
    model: type[ScheduleBase], document: dict[str, object], missing: str
) -> None:
    with pytest.raises(ValueError, match=f"missing.* {missing}"):
        model.model_validate(document)


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        adapter.validate_python({"kind": "sundial", "expression": "0 9 * * ? *"})
    with pytest.raises(ValueError, match="rate"):
        ss.Cron.model_validate({"kind": "rate", "expression": "0 9 * * ? *"})
    with pytest.raises(ValueError, match="object"):
        ss.Cron.model_validate_json("[]")


def test_a_document_with_a_bad_value_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="60 is not between 0 and 59"):
        ss.Cron.model_validate({"expression": "60 * * * ? *"})


# -- runs ------------------------------------------------------------------------------------------


@every_kind
def test_runs_rise_and_carry_a_fixed_offset(schedule: Schedule) -> None:
    runs = list(islice(schedule.runs(after=NEW_YEAR), 20))
    assert runs
    assert all(earlier < later for earlier, later in pairwise(runs))
    assert all(type(run.tzinfo) is timezone for run in runs)


@every_kind
def test_after_is_exclusive_and_until_inclusive(schedule: Schedule) -> None:
    first, *_ = runs = schedule.upcoming(5, after=NEW_YEAR)
    last = runs[-1]
    if not isinstance(schedule, ss.Rate) or schedule.start is not None:
        assert list(schedule.runs(after=first, until=last)) == runs[1:]
    tick = timedelta(microseconds=1)
    assert list(schedule.runs(after=NEW_YEAR, until=last)) == runs
    assert list(schedule.runs(after=NEW_YEAR, until=last - tick)) == runs[:-1]
    assert list(schedule.runs(after=NEW_YEAR, until=NEW_YEAR)) == []
    assert list(schedule.runs(after=last, until=NEW_YEAR)) == []


@every_kind
def test_next_run_is_the_first_of_runs(schedule: Schedule) -> None:
    run = schedule.next_run(after=NEW_YEAR)
    assert run == next(schedule.runs(after=NEW_YEAR)) == schedule.upcoming(1, after=NEW_YEAR)[0]
    assert show(run) == show(next(schedule.runs(after=NEW_YEAR)))


@every_kind
def test_previous_run_mirrors_next_run(schedule: Schedule) -> None:
    if isinstance(schedule, ss.Rate) and schedule.start is None:
        assert schedule.previous_run(LAST) is None
        return
    run = schedule.next_run(after=NEW_YEAR)
    assert run is not None
    assert schedule.previous_run(run + timedelta(microseconds=1)) == run
    before = schedule.previous_run(run)
    assert before is None or before <= NEW_YEAR


@every_kind
def test_the_zone_in_which_the_question_is_put_does_not_matter(schedule: Schedule) -> None:
    for zone in (ZoneInfo("Asia/Tokyo"), PARIS, timezone(timedelta(hours=-9, minutes=-30))):
        asked = NEW_YEAR.astimezone(zone)
        assert schedule.upcoming(3, after=asked) == schedule.upcoming(3, after=NEW_YEAR)
        assert schedule.previous_run(asked) == schedule.previous_run(NEW_YEAR)


@every_kind
def test_runs_are_found_one_at_a_time(schedule: Schedule) -> None:
    runs = schedule.runs(after=FIRST, until=LAST)
    assert iter(runs) is runs
    assert next(runs) is not None


@every_kind
def test_the_ends_of_time_have_an_answer(schedule: Schedule) -> None:
    assert schedule.next_run(LAST) is None
    assert schedule.previous_run(FIRST) is None
    assert list(schedule.runs(after=LAST)) == []
    assert list(schedule.runs(after=FIRST, until=FIRST)) == []
    first = schedule.next_run(FIRST)
    assert first is not None
    last = schedule.previous_run(LAST)
    if not isinstance(schedule, ss.Rate) or schedule.start is not None:
        assert last is not None
        assert schedule.next_run(last) is None


@every_kind
def test_upcoming_gives_as_many_as_asked_and_none_for_nought(schedule: Schedule) -> None:
    assert schedule.upcoming(0, after=NEW_YEAR) == []
    assert 1 <= len(schedule.upcoming(4, after=NEW_YEAR)) <= 4
    for nonsense in (-1, 1.5, "3"):
        with pytest.raises(ValueError, match="expected a whole number of at least 0 for count"):
            schedule.upcoming(nonsense, after=NEW_YEAR)  # type: ignore[arg-type]


@every_kind
@pytest.mark.parametrize("hours", [-14, -2, 2, 14])
def test_the_ends_of_time_have_an_answer_in_every_offset(schedule: Schedule, hours: int) -> None:
    offset = timezone(timedelta(hours=hours))
    first, last = datetime.min.replace(tzinfo=offset), datetime.max.replace(tzinfo=offset)
    assert schedule.previous_run(first) is None
    assert schedule.next_run(first) is not None
    assert list(schedule.runs(after=first, until=first)) == []
    assert list(schedule.runs(after=last, until=last)) == []
    after = schedule.next_run(last)
    assert after is None or after > last
    if not isinstance(schedule, ss.Rate) or schedule.start is not None:
        assert schedule.previous_run(last) is not None


def test_upcoming_gives_fewer_when_the_schedule_ends_before() -> None:
    cron = ss.Cron("0 12 * * ? *", end=utc("2030-01-02 12:00"))
    assert shown(cron.upcoming(9, after=NEW_YEAR)) == ["2030-01-01 12:00+00:00", "2030-01-02 12:00+00:00"]


# -- instants that are none ------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    ("verb", "arguments", "name"),
    [
        pytest.param("next_run", {"after": datetime(2030, 1, 1)}, "after", id="next_run"),
        pytest.param("previous_run", {"before": datetime(2030, 1, 1)}, "before", id="previous_run"),
        pytest.param("runs", {"after": datetime(2030, 1, 1)}, "after", id="runs after"),
        pytest.param("runs", {"after": NEW_YEAR, "until": datetime(2030, 1, 1)}, "until", id="runs until"),
        pytest.param("upcoming", {"count": 1, "after": datetime(2030, 1, 1)}, "after", id="upcoming"),
    ],
)
def test_a_naive_instant_is_refused_when_it_is_given(
    schedule: Schedule, verb: str, arguments: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match=rf"{name} is naive \(2030-01-01T00:00:00\).* tzinfo=timezone.utc"):
        getattr(schedule, verb)(**arguments)


@every_kind
def test_a_date_is_no_instant(schedule: Schedule) -> None:
    with pytest.raises(TypeError, match="expected an aware datetime for after, got date"):
        schedule.next_run(after=date(2030, 1, 1))  # type: ignore[arg-type]


class NoOffset(tzinfo):
    """A tzinfo that knows nothing."""

    def utcoffset(self, moment: datetime | None, /) -> None:
        return None

    def dst(self, moment: datetime | None, /) -> None:
        return None

    def tzname(self, moment: datetime | None, /) -> None:
        return None


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(
            datetime(2030, 1, 1, tzinfo=NoOffset()),
            "expected a tzinfo with an offset",
            id="tzinfo without offset",
        ),
        pytest.param(datetime(1, 1, 1, tzinfo=PARIS), "years? (from )?1 to 9999", id="before time"),
        pytest.param("9999-12-31T23:00-02:00", "years? (from )?1 to 9999", id="after time"),
        pytest.param(datetime(2030, 1, 1), "naive", id="naive"),
        pytest.param("2030-01-01T00:00", "naive", id="naive text"),
        pytest.param("2030-01-01", "expected a date and a time", id="date"),
        pytest.param("2030-01-01T25:00Z", "expected ISO 8601", id="hour 25"),
        pytest.param(1893456000, "expected a datetime or an ISO 8601 string", id="number"),
    ],
)
def test_the_window_of_rate_and_cron_wants_instants(name: str, value: Any, words: str) -> None:
    window: dict[str, Any] = {name: value}
    for make in (lambda: ss.Rate(HOUR, **window), lambda: ss.Cron("0 9 * * ? *", **window)):
        with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
            make()
        assert caught.value.field == name


# -- now -------------------------------------------------------------------------------------------


def test_without_an_instant_now_is_meant() -> None:
    every_minute, minute = ss.Cron("* * * * ? *"), timedelta(minutes=1)
    low = utc_now()
    run, former = every_minute.next_run(), every_minute.previous_run()
    listed, lazy = every_minute.upcoming(1), next(every_minute.runs())
    high = utc_now()
    assert run is not None
    assert former is not None
    for later in (run, listed[0], lazy):
        assert low < later <= high + minute
    assert low - minute <= former < high


# -- the window, both ends inclusive (P-14) -----------------------------------------------------------

DAILY = [
    pytest.param(ss.Rate(timedelta(days=1), start=utc("2030-01-01 12:00")), id="rate"),
    pytest.param(ss.Cron("0 12 * * ? *", start=utc("2030-01-01 12:00")), id="cron"),
]


@pytest.mark.parametrize("schedule", DAILY)
def test_a_run_at_the_very_start_and_at_the_very_end_is_inside(schedule: ss.Rate | ss.Cron) -> None:
    bounded = schedule.replace(end=utc("2030-01-03 12:00"))
    inside = ["2030-01-01 12:00+00:00", "2030-01-02 12:00+00:00", "2030-01-03 12:00+00:00"]
    assert shown(bounded.runs(after=FIRST)) == inside
    assert shown(bounded.runs(after=FIRST, until=LAST)) == inside
    assert shown(_walk(bounded)) == inside
    assert shown(_walk_back(bounded)) == inside[::-1]


@pytest.mark.parametrize("schedule", DAILY)
def test_a_run_just_outside_the_window_is_not_there(schedule: ss.Rate | ss.Cron) -> None:
    bounded = schedule.replace(end=utc("2030-01-03 11:59:59.999999"))
    inside = ["2030-01-01 12:00+00:00", "2030-01-02 12:00+00:00"]
    assert shown(bounded.runs(after=FIRST)) == inside
    assert shown(_walk(bounded)) == inside
    assert shown(_walk_back(bounded)) == inside[::-1]
    late = ss.Cron("0 12 * * ? *", start=utc("2030-01-01 12:00:00.000001"), end=utc("2030-01-02 13:00"))
    assert shown(late.runs(after=FIRST)) == shown(_walk_back(late)) == ["2030-01-02 12:00+00:00"]


@pytest.mark.parametrize("schedule", DAILY)
def test_until_and_the_end_bound_together(schedule: ss.Rate | ss.Cron) -> None:
    bounded = schedule.replace(end=utc("2030-01-03 12:00"))
    assert shown(bounded.runs(after=FIRST, until=utc("2030-01-02 12:00"))) == [
        "2030-01-01 12:00+00:00",
        "2030-01-02 12:00+00:00",
    ]
    assert shown(bounded.runs(after=utc("2030-01-02 12:00"), until=utc("2031-01-01"))) == [
        "2030-01-03 12:00+00:00"
    ]


@pytest.mark.parametrize("schedule", DAILY)
@pytest.mark.parametrize("end", ["2030-01-01T12:00Z", "2030-01-01T13:00+01:00", "2029-12-31T00:00Z"])
def test_a_window_that_does_not_open_is_refused(schedule: ss.Rate | ss.Cron, end: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="is not before end") as caught:
        schedule.replace(end=end)
    assert caught.value.field == "start"


def test_the_window_is_kept_in_utc_and_takes_text() -> None:
    text = ss.Cron("0 9 * * ? *", start="2030-01-01T01:00+01:00", end="2031-01-01T00:00:00.000Z")
    aware = ss.Cron("0 9 * * ? *", start=datetime(2030, 1, 1, 1, tzinfo=PARIS), end=utc("2031-01-01"))
    assert text == aware
    assert text.start is not None
    assert show(text.start) == "2030-01-01 00:00+00:00"
    assert text.start.tzinfo is UTC


def test_a_window_as_wide_as_time_bounds_nothing() -> None:
    cron = ss.Cron("0 0 1 1 ? *", start=FIRST, end=LAST)
    assert shown([cron.next_run(FIRST), cron.previous_run(LAST)]) == [
        "1970-01-01 00:00+00:00",
        "2199-01-01 00:00+00:00",
    ]
    assert len(list(cron.runs(after=FIRST, until=LAST))) == 230
    rate = ss.Rate(timedelta(days=1), start=FIRST, end=LAST)
    assert show(rate.next_run(utc("2030-01-01"))) == "2030-01-02 00:00+00:00"
    assert show(rate.previous_run(LAST)) == "9999-12-31 00:00+00:00"


def _walk(schedule: ScheduleBase) -> Iterator[datetime]:
    run = schedule.next_run(FIRST)
    while run is not None:
        yield run
        run = schedule.next_run(run)


def _walk_back(schedule: ScheduleBase) -> Iterator[datetime]:
    run = schedule.previous_run(LAST)
    while run is not None:
        yield run
        run = schedule.previous_run(run)


# -- text ------------------------------------------------------------------------------------------


@every_kind
def test_its_text_is_the_expression_or_else_the_description(schedule: Schedule) -> None:
    assert str(schedule) == (schedule.expression or schedule.describe())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2030-01-01T09:00", "2030-01-01 09:00", id="minutes"),
        pytest.param("2030-01-01 09:00:30", "2030-01-01 09:00:30", id="blank and seconds"),
        pytest.param("2030-01-01T09:00Z", "2030-01-01 09:00+00:00", id="Z"),
        pytest.param("2030-01-01T09:00+05:30", "2030-01-01 09:00+05:30", id="offset"),
        pytest.param("2021-02-22T03:05:00.000Z", "2021-02-22 03:05+00:00", id="milliseconds"),
    ],
)
def test_moments_are_read_from_iso_8601(text: str, expected: str) -> None:
    assert show(read_moment(text)) == expected


@pytest.mark.parametrize("text", ["", "2030-01-01", "09:00", "2030-13-01T00:00", "2030-01-01T0900", "now"])
def test_what_is_no_date_with_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected .*, got "):
        read_moment(text)


def test_no_instant_stays_none() -> None:
    assert read_instant(None) is None


# -- loops and membership ----------------------------------------------------------------------------------


@every_kind
def test_a_schedule_is_not_iterated_but_says_what_is(schedule: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be iterated; use schedule\.upcoming\(5\)"):
        list(schedule)


anchored_kind = pytest.mark.parametrize("schedule", [kind for kind in KINDS if kind.id != "rate"])
"""All but the rate whose runs are counted from the creation of a job."""


@anchored_kind
def test_an_instant_is_in_a_schedule_that_has_a_run_at_exactly_that_instant(schedule: Schedule) -> None:
    for run in schedule.upcoming(3, after=NEW_YEAR):
        assert run in schedule
        assert run.astimezone(PARIS) in schedule
        assert run + timedelta(microseconds=1) not in schedule
        assert run - timedelta(microseconds=1) not in schedule


def test_the_bounds_of_a_window_are_in_it() -> None:
    schedule = ss.Rate(HOUR, start=NEW_YEAR, end=NEW_YEAR + 2 * HOUR)
    assert [NEW_YEAR + n * HOUR in schedule for n in range(-1, 4)] == [False, True, True, True, False]


def test_either_pass_of_a_repeated_hour_is_told_from_the_other() -> None:
    schedule = ss.OneTime(datetime(2031, 10, 26, 2, 30, fold=1, tzinfo=PARIS))
    assert datetime(2031, 10, 26, 2, 30, fold=1, tzinfo=PARIS) in schedule
    assert datetime(2031, 10, 26, 2, 30, fold=0, tzinfo=PARIS) not in schedule


@pytest.mark.parametrize("end", [FIRST, LAST], ids=["first", "last"])
def test_the_ends_of_time_can_be_asked_for(end: datetime) -> None:
    assert end not in ss.Cron("0 9 ? * MON-FRI")


@anchored_kind
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        pytest.param(datetime(2030, 1, 1), ValueError, "instant is naive", id="naive"),
        pytest.param(
            "2030-01-01T00:00Z", TypeError, "expected an aware datetime for instant, got str", id="text"
        ),
        pytest.param(
            date(2030, 1, 1), TypeError, "expected an aware datetime for instant, got date", id="date"
        ),
        pytest.param(None, TypeError, "expected an aware datetime for instant, got NoneType", id="None"),
    ],
)
def test_only_an_aware_datetime_can_be_in_a_schedule(
    schedule: Schedule, given: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _ = given in schedule


def test_a_rate_without_start_cannot_tell_its_instants() -> None:
    with pytest.raises(ValueError, match="counted from the creation of its job; use start"):
        _ = NEW_YEAR in ss.Rate(HOUR)
