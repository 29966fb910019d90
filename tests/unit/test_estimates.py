"""What jobs would cost, counted a second time by walking every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from html.parser import HTMLParser
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched import asl
from stepsched.asl.budget import MAX_EVENTS
from stepsched.estimates import (
    PRICES,
    QUOTAS,
    BusyMinute,
    Estimate,
    Prices,
    Quotas,
    ServiceEstimate,
    TablePrices,
    estimate,
)
from stepsched.estimates.usage import BackendName
from stepsched.targets import TemplateTarget
from tests.unit.pictures.drawn import read, written

UTC = timezone.utc
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
PARIS = "Europe/Paris"
LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
EVENTBRIDGE, STEP_FUNCTIONS, LOCAL = get_args(BackendName)


def job(name: str, schedule: ss.Schedule, **fields: Any) -> ss.Job:
    return ss.Job(**{"name": name, "schedule": schedule, "target": LAMBDA, **fields})


def one_time(name: str, at: datetime) -> ss.Job:
    return job(name, ss.OneTime(at))


def every(minutes: int, *, start: datetime | None = None, end: datetime | None = None) -> ss.Rate:
    return ss.Rate(minutes * MINUTE, start=start, end=end)


def walked(jobs: Iterable[ss.Job], since: datetime, until: datetime) -> dict[str, list[datetime]]:
    """The oracle: the instants of every job in UTC, one run after the other."""
    found = {}
    for each in jobs:
        rate = each.schedule if isinstance(each.schedule, ss.Rate) else None
        ended = rate is not None and rate.end is not None and rate.end < since
        runs = iter(()) if ended else each.anchored(since).runs(after=since - TICK, until=until)
        found[each.name] = [run.astimezone(UTC) for run in runs]
    return found


def assert_as_walked(jobs: list[ss.Job], since: datetime, until: datetime) -> Estimate:
    """Compares every counted figure with the oracle's."""
    found = estimate(jobs, since, until, busiest=25, names=1_000)
    runs = walked(jobs, since, until)
    assert found.by_job == {name: len(instants) for name, instants in runs.items()}
    assert list(found.by_job) == [job.name for job in jobs]
    minutes: dict[datetime, list[str]] = {}
    months: Counter[date] = Counter()
    for name, instants in runs.items():
        for instant in instants:
            minutes.setdefault(instant.replace(second=0, microsecond=0), []).append(name)
            months[date(instant.year, instant.month, 1)] += 1
    assert found.invocations == sum(months.values())
    assert {month.month: month.invocations for month in found.months if month.invocations} == months
    order = sorted(minutes, key=lambda minute: (-len(minutes[minute]), minute))
    colliding = [minute for minute in order if len(minutes[minute]) > 1]
    assert found.colliding_minutes == len(colliding)
    assert found.collisions == tuple(
        BusyMinute(
            minute=minute, invocations=len(minutes[minute]), jobs=tuple(dict.fromkeys(minutes[minute]))
        )
        for minute in colliding[:25]
    )
    if order:
        assert found.peak is not None
        assert (found.peak.minute, found.peak.invocations) == (order[0], len(minutes[order[0]]))
    else:
        assert found.peak is None
    return found


SCHEDULES: dict[str, ss.Schedule] = {
    "cron-paris": ss.Cron("0/7 * * * ? *", timezone=PARIS),
    "cron-night-paris": ss.Cron("30 2 * * ? *", timezone=PARIS),
    "cron-new-york": ss.Cron("*/20 8-17 ? * MON-FRI *", timezone="America/New_York"),
    "cron-lord-howe": ss.Cron("15 * * * ? *", timezone="Australia/Lord_Howe"),
    "cron-kathmandu": ss.Cron("0 0 * * ? *", timezone="Asia/Kathmandu"),
    "cron-window": ss.Cron("0 * * * ? *", start=NEW_YEAR + 80 * DAY, end=NEW_YEAR + 90 * DAY),
    "cron-never-here": ss.Cron("0 0 1 1 ? 2040"),
    "crontab": ss.Cron.from_crontab("0 9 13 * 5", timezone=PARIS),
    "rate-bare": every(11),
    "rate-bare-end": every(13, end=NEW_YEAR + 85 * DAY),
    "rate-ended": every(13, end=NEW_YEAR - DAY),
    "rate-seconds": every(7, start=NEW_YEAR - 100 * DAY + 59 * SECOND + 999_999 * TICK),
    "rate-begins": every(1440, start=NEW_YEAR + 80 * DAY + 17 * SECOND),
    "rate-ends": every(1, start=NEW_YEAR, end=NEW_YEAR + 79 * DAY + 4 * HOUR),
    "rate-too-late": every(1, start=NEW_YEAR + 900 * DAY),
    "rate-long": every(600 * 1440, start=NEW_YEAR - 520 * DAY),
    "once": ss.OneTime("2030-03-31T03:30", timezone=PARIS),
    "once-same": ss.OneTime("2030-03-31T01:30"),
    "once-before": ss.OneTime("2029-12-31T23:59:59"),
    "windowed-days": ss.Windowed("2030-01-31T02:30", every=ss.Frequency(days=1), timezone=PARIS),
    "windowed-months": ss.Windowed(
        "2030-01-31T09:00", end="2030-06-30T09:00", every=ss.Frequency(months=1), timezone=PARIS
    ),
    "windowed-hours": ss.Windowed("2030-01-01T00:10:30", every=ss.Frequency(hours=5), timezone=PARIS),
    "windowed-ends": ss.Windowed(
        "2030-03-20T00:00", end="2030-03-31T03:00", every=ss.Frequency(minutes=9), timezone=PARIS
    ),
    "windowed-10-seconds": ss.Windowed(
        "2030-03-31T00:59:55", end="2030-03-31T03:10:00", every=ss.Frequency(seconds=10), timezone=PARIS
    ),
    "windowed-7-seconds": ss.Windowed(
        "2030-03-20T23:58:59", end="2030-03-22T00:00", every=ss.Frequency(seconds=7)
    ),
    "windowed-90-seconds": ss.Windowed("2029-12-01T00:00:20", every=ss.Frequency(seconds=90), timezone=PARIS),
    "windowed-minute-and-1": ss.Windowed("2030-01-01T00:00", every=ss.Frequency(minutes=1, seconds=1)),
    "windowed-50-seconds": ss.Windowed(
        "2029-12-31T23:59:59.5", end="2030-01-01T00:04:00", every=ss.Frequency(seconds=50)
    ),
    "windowed-120-seconds": ss.Windowed("2030-01-01T00:00:59", every=ss.Frequency(seconds=120)),
    "windowed-mixed": ss.Windowed("2030-03-01T23:45", every=ss.Frequency(days=2, minutes=7), timezone=PARIS),
    "windowed-over": ss.Windowed("2029-01-01T00:00", end="2029-02-01T00:00", every=ss.Frequency(hours=1)),
}
SPANS = {
    "spring-forward": (datetime(2030, 3, 29, tzinfo=UTC), datetime(2030, 4, 2, tzinfo=UTC)),
    "fall-back": (datetime(2030, 10, 26, tzinfo=UTC), datetime(2030, 10, 29, tzinfo=UTC)),
    "off-the-minute": (NEW_YEAR + 79 * DAY + 31 * SECOND + TICK, NEW_YEAR + 81 * DAY + 29 * SECOND),
    "over-the-year": (datetime(2029, 12, 30, 12, 34, 56, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)),
    "own-zone": (
        datetime(2030, 3, 30, tzinfo=ZoneInfo(PARIS)),
        datetime(2030, 4, 1, tzinfo=ZoneInfo("Asia/Kathmandu")),
    ),
    "one-instant": (NEW_YEAR + 30 * DAY, NEW_YEAR + 30 * DAY),
    "inside-a-minute": (NEW_YEAR + 10 * SECOND, NEW_YEAR + 50 * SECOND),
}


class TestCounts:
    @pytest.mark.one_in(3)
    @pytest.mark.parametrize("span", SPANS)
    @pytest.mark.parametrize("name", SCHEDULES)
    def test_of_one_job_are_its_runs(self, name: str, span: str) -> None:
        assert_as_walked([job(name, SCHEDULES[name])], *SPANS[span])

    @pytest.mark.parametrize("span", SPANS)
    def test_of_many_jobs_are_theirs(self, span: str) -> None:
        jobs = [job(f"{name}.{copy}", schedule) for copy in range(3) for name, schedule in SCHEDULES.items()]
        assert_as_walked(jobs, *SPANS[span])

    def test_of_rates_of_one_step_and_many_phases(self) -> None:
        jobs = [
            job(
                f"rate-{index}",
                every(
                    1 + index % 6,
                    start=NEW_YEAR + index * 97 * SECOND,
                    end=NEW_YEAR + 3 * DAY + index * 61 * MINUTE,
                ),
            )
            for index in range(60)
        ]
        assert_as_walked(jobs, NEW_YEAR + HOUR, NEW_YEAR + 5 * DAY)

    def test_of_a_year_of_many_jobs(self) -> None:
        jobs = [job(f"rate-{index}", every(index % 90 + 1)) for index in range(150)]
        jobs += [
            job(f"cron-{index}", ss.Cron(f"{index} {index % 24} * * ? *", timezone=PARIS))
            for index in range(50)
        ]
        until = NEW_YEAR + 365 * DAY - SECOND
        found = estimate(jobs, NEW_YEAR, until)
        minutes = 365 * 24 * 60
        for index in range(150):
            assert found.by_job[f"rate-{index}"] == -(-minutes // (index % 90 + 1))
        nights = [found.by_job[f"cron-{index}"] for index in range(50)]
        assert nights[0] == 365
        assert nights[2] == 364  # 02:02 does not exist on 31 March
        assert sum(month.invocations for month in found.months) == found.invocations
        assert len(found.months) == 12
        assert found.peak is not None
        assert found.peak.minute == NEW_YEAR
        assert found.peak.invocations == 150

    @pytest.mark.parametrize("step", [1, 7, 10, 45, 59, 60, 61, 90, 119, 3601])
    @pytest.mark.parametrize("runs", [1, 2, 5, 200])
    def test_of_a_grid_of_seconds_are_exact_to_the_last_run(self, step: int, runs: int) -> None:
        end = NEW_YEAR + 41 * SECOND + (runs - 1) * step * SECOND
        window = ss.Windowed(NEW_YEAR + 41 * SECOND, end=end, every=ss.Frequency(seconds=step))
        found = assert_as_walked([job("grid", window)], NEW_YEAR - HOUR, end + 2 * HOUR)
        assert found.invocations == runs

    def test_of_a_run_every_10_seconds_are_six_in_each_minute_and_cost_six_times_as_much(self) -> None:
        until = NEW_YEAR + 365 * DAY - SECOND
        window = ss.Windowed("2030-01-01T00:00", every=ss.Frequency(seconds=10))
        paid = Prices(transitions=asl.Prices(free_per_month=0))
        often = estimate([job("often", window)], NEW_YEAR, until, prices=paid)
        minutely = [job("minute", every(1), overlap=ss.Overlap.SKIP)]
        each_minute = estimate(minutely, NEW_YEAR, until, prices=paid)
        assert often.invocations == 6 * each_minute.invocations == 6 * 365 * 24 * 60
        assert often.cost == pytest.approx(6 * each_minute.cost, rel=Decimal("0.0001"))
        assert often.peak is not None
        assert often.peak.invocations == 6
        assert str(often.peak) == "2030-01-01 00:00  6  often and 5 more"

    def test_take_both_ends_in(self) -> None:
        rate = job("rate", every(60, start=NEW_YEAR + 30 * SECOND))
        first, last = NEW_YEAR + 30 * SECOND, NEW_YEAR + 5 * HOUR + 30 * SECOND
        assert estimate([rate], first, last).invocations == 6
        assert estimate([rate], first + TICK, last).invocations == 5
        assert estimate([rate], first, last - TICK).invocations == 5
        cron = job("cron", ss.Cron("0 * * * ? *"))
        assert estimate([cron], NEW_YEAR, NEW_YEAR + HOUR).invocations == 2
        assert estimate([cron], NEW_YEAR + TICK, NEW_YEAR + HOUR - TICK).invocations == 0
        once = one_time("once", NEW_YEAR)
        assert estimate([once], NEW_YEAR, NEW_YEAR).by_job == {"once": 1}

    def test_lay_a_rate_without_start_at_since(self) -> None:
        found = estimate([job("rate", every(60))], NEW_YEAR + 20 * SECOND, NEW_YEAR + 2 * HOUR)
        assert found.by_job == {"rate": 2}

    @pytest.mark.parametrize("end", [NEW_YEAR - DAY, NEW_YEAR])
    def test_are_none_for_a_rate_that_has_ended(self, end: datetime) -> None:
        found = estimate([job("rate", every(5, end=end))], NEW_YEAR, NEW_YEAR + DAY)
        assert found.by_job == {"rate": 0}
        assert found.peak is None

    def test_do_not_depend_on_target_or_policies(self) -> None:
        jobs = [
            job("plain", every(5), target=ss.CommandTarget(["true"])),
            job("jitter", every(5), jitter=15 * MINUTE, overlap=ss.Overlap.SKIP, catch_up=ss.CatchUp.SKIP),
            job("cloud", every(5)),
        ]
        found = estimate(jobs, NEW_YEAR, NEW_YEAR + HOUR)
        assert found.by_job == {"plain": 13, "jitter": 13, "cloud": 13}
        assert found.invocations == 39
        assert found.peak is not None
        assert (found.peak.invocations, found.peak.jobs) == (3, ("plain", "jitter", "cloud"))
        assert found.colliding_minutes == 13

    def test_are_possible_at_the_ends_of_time(self) -> None:
        last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
        first = datetime.min.replace(tzinfo=UTC)
        jobs = [job("rate", every(1, start=last - HOUR)), job("bare", every(20))]
        found = estimate(jobs, last - HOUR, last)
        assert found.by_job == {"rate": 61, "bare": 4}
        assert [month.month for month in found.months] == [date(9999, 12, 1)]
        assert estimate([job("bare", every(20))], first, first + HOUR).invocations >= 3
        end = datetime.max.replace(tzinfo=UTC)
        assert estimate([job("rate", every(1, start=last))], last, end).by_job == {"rate": 1}

    def test_of_no_jobs_are_nothing(self) -> None:
        found = estimate([], NEW_YEAR, NEW_YEAR + DAY)
        assert (found.jobs, found.invocations, found.cost) == (0, 0, Decimal(0))
        assert found.peak is None
        assert found.quota_share == 0
        assert found.collisions == ()


class TestMonths:
    def test_end_at_midnight_utc(self) -> None:
        end_of_month = datetime(2030, 2, 1, tzinfo=UTC)
        jobs = [
            one_time("january", end_of_month - SECOND),
            one_time("february", end_of_month),
            job("paris", ss.OneTime("2030-02-01T00:30", timezone=PARIS)),
        ]
        found = estimate(jobs, datetime(2029, 12, 15, 7, 3, tzinfo=UTC), datetime(2030, 4, 1, tzinfo=UTC))
        counts = [(month.month.isoformat(), month.invocations) for month in found.months]
        assert counts == [
            ("2029-12-01", 0),
            ("2030-01-01", 2),
            ("2030-02-01", 1),
            ("2030-03-01", 0),
            ("2030-04-01", 0),
        ]

    def test_leave_out_the_one_that_is_not_touched(self) -> None:
        found = estimate([], NEW_YEAR, datetime(2030, 2, 1, tzinfo=UTC) - TICK)
        assert [month.month for month in found.months] == [date(2030, 1, 1)]

    def test_of_ten_years_are_all_there(self) -> None:
        jobs = [job("minute", every(1)), job("monthly", ss.Cron("0 0 L * ? *"))]
        found = estimate(jobs, NEW_YEAR, datetime(2040, 1, 1, tzinfo=UTC) - SECOND)
        assert len(found.months) == 120
        assert found.by_job == {"minute": 3_652 * 1_440, "monthly": 120}
        assert found.months[25].invocations == 29 * 1_440 + 1

    def test_have_30_44_days_on_the_mean(self) -> None:
        found = estimate([job("hourly", every(60))], NEW_YEAR + TICK, NEW_YEAR + 100 * DAY)
        assert found.invocations == 2_400
        assert found.invocations_per_month == pytest.approx(730.56)

    def test_have_no_mean_without_length(self) -> None:
        found = estimate([job("hourly", every(60))], NEW_YEAR, NEW_YEAR)
        assert found.invocations_per_month is None
        assert found.cost_per_month is None
        assert "USD a month" not in str(found)


class TestPrices:
    @pytest.mark.parametrize(
        ("invocations", "cost"),
        [
            (0, "0"),
            (14_000_000, "0"),
            (14_000_001, "0.000001"),
            (14_500_000, "0.5"),
            (15_000_000, "1"),
            (100_000_000, "86"),
        ],
    )
    def test_begin_beyond_the_free_ones(self, invocations: int, cost: str) -> None:
        assert PRICES.cost(invocations) == Decimal(cost)

    def test_may_be_charged_for_retries(self) -> None:
        paid = PRICES.replace(free_invocations_per_month=0)
        (found,) = estimate(
            [job("a", every(1), retry=ss.Retry(max_attempts=9))],
            NEW_YEAR,
            NEW_YEAR + 99 * MINUTE,
            prices=paid,
        ).services
        assert (found.cost, found.cost_if_all_fail) == (Decimal("0.0001"), Decimal("0.001"))

    def test_are_applied_month_by_month(self) -> None:
        prices = Prices(
            free_invocations_per_month=41_000,
            per_million=Decimal("2.50"),
            currency="EUR",
            transitions=asl.Prices(currency="EUR"),
            table=TablePrices(currency="EUR"),
        )
        found = estimate([job("minute", every(1))], NEW_YEAR, datetime(2030, 3, 1, tzinfo=UTC), prices=prices)
        january, february, march = found.months
        assert (january.invocations, january.cost) == (44_640, Decimal("0.0091"))
        assert (february.invocations, february.cost) == (40_320, Decimal(0))
        assert (march.invocations, march.cost) == (1, Decimal(0))
        assert found.cost == Decimal("0.0091")
        assert found.cost_per_month == Decimal("0.007085")  # of (44,640 + 40,320 + 1) / 59 x 30.44 = 43,834
        assert "Cost: under 0.01 EUR; under 0.01 EUR a month" in str(found)

    def test_do_not_depend_on_the_context_of_the_caller(self) -> None:
        with localcontext() as context:
            context.prec = 2
            assert PRICES.cost(14_123_456) == Decimal("0.123456")
            found = estimate(
                [job("minute", every(1))],
                NEW_YEAR,
                datetime(2030, 3, 1, tzinfo=UTC) - SECOND,
                prices=Prices(free_invocations_per_month=0),
            )
        assert found.cost == Decimal("0.08496")

    def test_carry_their_date_and_source(self) -> None:
        for prices in (PRICES, PRICES.transitions, PRICES.table):
            assert date(2025, 1, 1) < prices.as_of <= date(2026, 11, 29)
            assert prices.source.startswith("https://aws.amazon.com/")
            assert (prices.region, prices.currency) == ("us-east-1", "USD")
        assert PRICES.as_of <= QUOTAS.as_of
        for source in (QUOTAS.source, QUOTAS.transitions_source):
            assert source.startswith("https://docs.aws.amazon.com/")

    def test_are_in_one_currency(self) -> None:
        with pytest.raises(
            ValidationError, match=r"expected all prices in one currency, got 'EUR', 'USD'; give"
        ):
            Prices(currency="EUR")

    @pytest.mark.parametrize(
        ("transitions", "cost"), [(0, "0"), (4_000, "0"), (4_001, "0.000025"), (1_004_000, "25")]
    )
    def test_of_transitions_begin_beyond_the_free_ones(self, transitions: int, cost: str) -> None:
        assert PRICES.cost_of_transitions(transitions) == Decimal(cost)

    def test_of_requests_to_the_table_have_nothing_free(self) -> None:
        assert PRICES.cost_of_writes(8) == Decimal("0.000005")
        assert PRICES.cost_of_reads(8) == Decimal("0.000001")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"per_million": "-1"},
            {"per_million": "NaN"},
            {"per_million": "Infinity"},
            {"free_invocations_per_month": -1},
            {"free_invocations_per_month": 1.5},
            {"unknown": 1},
        ],
    )
    def test_are_refused_where_senseless(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Prices(**wrong)


class TestQuotas:
    def test_depend_on_the_region(self) -> None:
        assert Quotas.of_region("eu-west-1") == QUOTAS
        assert Quotas.of_region("eu-north-1").invocations_per_second < QUOTAS.invocations_per_second
        frankfurt = Quotas.of_region("eu-central-1")
        assert (frankfurt.invocations_per_second, frankfurt.transitions_per_second) == (1_000, 500)
        assert (frankfurt.creations_per_second, frankfurt.starts_per_second) == (5_000, 150)
        stockholm = Quotas.of_region("eu-north-1")
        assert (stockholm.invocations_per_second, stockholm.creations_per_second) == (250, 250)

    def test_bound_the_time_of_creation(self) -> None:
        jobs = [one_time(f"job-{index}", NEW_YEAR) for index in range(300)]
        quotas = Quotas(creations_per_second=100, starts_per_second=2)
        for backend, seconds in ((EVENTBRIDGE, 3), (STEP_FUNCTIONS, 150), (LOCAL, 0)):
            found = estimate(jobs, NEW_YEAR, NEW_YEAR, quotas=quotas, backend=backend)
            assert found.services[0].seconds_to_create == seconds
            assert (f"  creation of all jobs: {seconds} seconds at least" in str(found)) == bool(seconds)

    def test_are_compared_with_the_peak_minute(self) -> None:
        jobs = [job(f"job-{index}", ss.Cron("0 9 * * ? *")) for index in range(90)]
        for limit, share, exceeded in ((1, 1.5, ("invocations_per_second",)), (3, 0.5, ())):
            found = estimate(jobs, NEW_YEAR, NEW_YEAR + DAY, quotas=Quotas(invocations_per_second=limit))
            assert found.peak is not None
            assert found.peak.minute == NEW_YEAR + 9 * HOUR
            assert found.quota_share == share
            assert found.exceeded == exceeded
            assert ("invocations_per_second 150.00% (too much)" in str(found)) == bool(exceeded)

    def test_that_are_just_met_are_not_exceeded(self) -> None:
        jobs = [one_time(f"job-{index}", NEW_YEAR).replace(group=f"group-{index}") for index in range(60)]
        met = Quotas(invocations_per_second=1, schedules=60, groups=60)
        assert estimate(jobs, NEW_YEAR, NEW_YEAR, quotas=met).exceeded == ()
        found = estimate(jobs, NEW_YEAR, NEW_YEAR, quotas=met.replace(schedules=59, groups=59))
        assert found.exceeded == ("schedules", "groups")
        assert "schedules 101.69% (too much), groups 101.69% (too much)" in str(found)

    def test_of_step_functions_are_compared_with_its_own_peak_minute(self) -> None:
        """A run makes 7 transitions, and writes the index twice under the key of all active jobs."""
        nine = ss.Cron("0 9 * * ? *")
        jobs = [job(f"job-{index}", nine, overlap=ss.Overlap.SKIP) for index in range(30)]
        jobs += [job(f"other-{index}", ss.Cron("0 8 * * ? *")) for index in range(60)]
        quotas = Quotas(transitions_per_second=2, partition_writes_per_second=3, open_executions=29)
        found = estimate(jobs, NEW_YEAR, NEW_YEAR + DAY, quotas=quotas)
        assert found.peak is not None
        assert found.peak.minute == NEW_YEAR + 8 * HOUR
        _, machines = found.services
        assert machines.peak is not None
        assert (machines.peak.minute, machines.peak.invocations) == (NEW_YEAR + 9 * HOUR, 30)
        assert machines.quota_shares == {
            "transitions_per_second": 30 * 7 / 120,
            "partition_writes_per_second": 60 / 180,
            "open_executions": 30 / 29,
        }
        assert machines.exceeded == found.exceeded == ("transitions_per_second", "open_executions")
        assert found.quota_share == 30 * 7 / 120

    @pytest.mark.parametrize(
        "field",
        [
            *("invocations_per_second", "schedules", "groups"),
            *("transitions_per_second", "open_executions", "partition_writes_per_second"),
            *("creations_per_second", "starts_per_second"),
        ],
    )
    def test_are_at_least_one(self, field: str) -> None:
        with pytest.raises(ValidationError):
            Quotas(**{field: 0})


class TestCollisions:
    JOBS = (
        one_time("late", NEW_YEAR + HOUR),
        one_time("a", NEW_YEAR + 5 * SECOND),
        one_time("alone", NEW_YEAR + 2 * HOUR),
        one_time("b", NEW_YEAR + 59 * SECOND),
        one_time("next", NEW_YEAR + MINUTE),
        one_time("later", NEW_YEAR + HOUR + SECOND),
        job("rate", every(60, start=NEW_YEAR - 30 * SECOND)),
        one_time("c", NEW_YEAR),
    )

    def test_are_minutes_of_the_clock_in_order(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY)
        assert found.collisions == (
            BusyMinute(minute=NEW_YEAR, invocations=3, jobs=("a", "b", "c")),
            BusyMinute(minute=NEW_YEAR + HOUR, invocations=2, jobs=("late", "later")),
        )
        assert found.peak == found.collisions[0]
        assert found.colliding_minutes == 2

    def test_are_bounded(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY, busiest=1, names=2)
        assert found.collisions == (BusyMinute(minute=NEW_YEAR, invocations=3, jobs=("a", "b")),)
        assert str(found.collisions[0]) == "2030-01-01 00:00  3  a, b and 1 more"
        assert found.colliding_minutes == 2

    def test_are_left_out_where_none_is_asked_for(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY, busiest=0, names=0)
        assert found.collisions == ()
        assert found.peak == BusyMinute(minute=NEW_YEAR, invocations=3, jobs=())
        assert str(found.peak) == "2030-01-01 00:00  3"

    @pytest.mark.parametrize("busiest", [3, 4, 50])
    def test_are_all_there_when_more_is_asked_for_than_there_are(self, busiest: int) -> None:
        jobs = [job("a", every(1)), job("b", every(1))]
        found = estimate(jobs, NEW_YEAR, NEW_YEAR + 2 * MINUTE, busiest=busiest)
        assert [busy.invocations for busy in found.collisions] == [2, 2, 2]

    def test_need_two_invocations(self) -> None:
        found = estimate([job("a", every(1))], NEW_YEAR, NEW_YEAR + DAY)
        assert found.collisions == ()
        assert found.colliding_minutes == 0
        assert found.peak == BusyMinute(minute=NEW_YEAR, invocations=1, jobs=("a",))


def services(found: Estimate) -> dict[str, ServiceEstimate]:
    return {each.backend: each for each in found.services}


def units(found: Estimate, backend: str = STEP_FUNCTIONS) -> dict[str, int]:
    return {charge.units: charge.count for charge in services(found)[backend].charges}


def played(
    runs: int, *, ends: bool, one_time: bool = False, retries: int = 3, aged: int = 0, batches: int = 0
) -> int:
    """The oracle: the state transitions of a job, by following its executions from state to state.

    The numbers of events are those of the documentation: an execution counts 24 for each run that it plans,
    from 13 at its start, and 7 for each batch of messages.
    """
    limit = MAX_EVENTS - (24 + 12 * retries + 48 + 17 + 2 * 3 * 8 + 70)
    limit -= 7 * (batches + retries + 1) if batches else 0
    call = ["Send messages", "All sent?"] * batches or ["call"]
    begins = ("Load", "Mine?", "Take")
    visited, spent = list(begins), 13
    for _ in range(aged):  # nothing is due for 300 days
        visited += ["Plan", "More?", "Rest", "Renew", "Renewed", *begins]
    for run in range(runs):
        visited += ["Plan", "More?"]
        spent += 24
        if spent > limit:
            visited += ["Renew", "Renewed", *begins, "Plan", "More?"]
            spent = 13 + 24
        visited += ["Sleep", "Fence", "Route", *call, "Record"]
        spent += 7 * batches
        is_last = run == runs - 1
        if is_last and not ends and spent + 24 > limit:  # it hands over at once
            visited += ["Plan", "More?", "Renew", "Renewed", *begins]
    if ends:
        visited += ["Plan", "More?", "Delete" if one_time else "Ended", "Done"]
    return len(visited)


class TestStepFunctions:
    def test_of_a_single_run_are_all_states_from_start_to_end(self) -> None:
        found = estimate([one_time("once", NEW_YEAR)], NEW_YEAR, NEW_YEAR, backend=STEP_FUNCTIONS)
        assert units(found)["state transitions"] == played(1, ends=True, one_time=True) == 14

    @pytest.mark.parametrize("retries", [0, 3, 10])
    @pytest.mark.parametrize(
        "minutes", [0, 1, 1_029, 1_030, 1_031, 1_032, 1_033, 2_061, 2_062, 2_063, 20_000]
    )
    @pytest.mark.parametrize("ends", [True, False])
    def test_of_many_runs_are_those_of_executions_that_hand_over(
        self, minutes: int, retries: int, *, ends: bool
    ) -> None:
        until = NEW_YEAR + minutes * MINUTE
        retry = ss.Retry(max_attempts=retries)
        schedule = every(1, start=NEW_YEAR, end=until + 30 * SECOND if ends else None)
        found = estimate([job("a", schedule, retry=retry)], NEW_YEAR, until, backend=STEP_FUNCTIONS)
        assert units(found)["state transitions"] == played(minutes + 1, ends=ends, retries=retries)

    @pytest.mark.parametrize(
        ("days", "aged"),
        [(299, 0), (301, 1), (900, 3), (1_000, 3), pytest.param(3_000, 10, marks=pytest.mark.proof)],
    )
    def test_of_a_job_that_is_far_ahead_are_those_of_executions_that_grow_old(
        self, days: int, aged: int
    ) -> None:
        at = NEW_YEAR + days * DAY
        found = estimate([one_time("once", at)], NEW_YEAR, at, backend=STEP_FUNCTIONS)
        assert units(found)["state transitions"] == played(1, ends=True, aged=aged)
        later = estimate([one_time("once", at + DAY)], NEW_YEAR, at, backend=STEP_FUNCTIONS)
        assert units(later)["state transitions"] == played(0, ends=False, aged=aged)

    @pytest.mark.parametrize("messages", [1, 10, 11, 25, 1_000])
    @pytest.mark.parametrize("minutes", [0, 33, 34, 35, 2_000])
    def test_of_several_messages_are_those_of_all_batches(self, messages: int, minutes: int) -> None:
        target = ss.FanOutTarget("arn:aws:sqs:eu-west-1:123456789012:tasks", ["task"] * messages)
        until = NEW_YEAR + minutes * MINUTE
        jobs = [job("a", every(1, start=NEW_YEAR), target=target, retry=ss.Retry(max_attempts=3))]
        found = estimate(jobs, NEW_YEAR, until, backend=STEP_FUNCTIONS)
        batches = -(-messages // 10)
        assert units(found)["state transitions"] == played(minutes + 1, ends=False, batches=batches)

    def test_need_no_stack_with_the_call(self) -> None:
        call = ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"})
        found = estimate([job("a", every(1), target=call)], NEW_YEAR, NEW_YEAR, backend=STEP_FUNCTIONS)
        assert units(found)["state transitions"] == 3 + 7

    def test_of_a_job_without_a_run_are_none(self) -> None:
        jobs = [one_time("over", NEW_YEAR - DAY), job("ended", every(5, end=NEW_YEAR - DAY))]
        found = estimate(jobs, NEW_YEAR, NEW_YEAR + DAY, backend=STEP_FUNCTIONS)
        assert set(units(found).values()) == {0}
        assert found.cost == 0

    def test_fall_into_the_months_in_which_they_happen(self) -> None:
        """4,000 transitions a month are free; the first month has 571 runs, the second has none."""
        free = 4_000 - 3
        jobs = [job("a", every(1, start=NEW_YEAR, end=NEW_YEAR + (free // 7 - 1) * MINUTE))]
        jobs += [one_time("later", datetime(2030, 3, 5, tzinfo=UTC))]
        found = estimate(jobs, NEW_YEAR, datetime(2030, 4, 1, tzinfo=UTC), backend=STEP_FUNCTIONS)
        paid = 7 * 571 + 3 + 4 + 3 - 4_000
        writes = found.months[0].cost - PRICES.cost_of_transitions(4_000 + paid)
        assert paid == 7
        assert 0 < writes < Decimal("0.01")
        assert found.months[1].cost == 0
        assert 0 < found.months[2].cost < Decimal("0.0001")  # no transition, but the table
        assert found.cost == sum(month.cost for month in found.months) == services(found)[STEP_FUNCTIONS].cost

    def test_write_more_for_a_larger_row(self) -> None:
        """A run writes the row three times, twice of them in a transaction, its own row twice, and the index
        three times."""
        found = []
        for size in (0, 1_000, 5_000):
            jobs = [job("a", every(1), input={"a": "x" * size}), job("b", every(1))]
            both = estimate(jobs, NEW_YEAR, NEW_YEAR + 99 * MINUTE, backend=STEP_FUNCTIONS)
            one = estimate(jobs[1:], NEW_YEAR, NEW_YEAR + 99 * MINUTE, backend=STEP_FUNCTIONS)
            found.append((units(both)["write units"] - units(one)["write units"]) // 100)
        assert [each % 3 for each in found] == [2, 2, 2]  # 3 times the kilobytes of the row, and 5
        small, medium, large = ((each - 5) // 3 for each in found)
        assert (small, medium - small, large - small) == (
            2,
            2,
            9,
        )  # the input twice, and what is left of a KB

    @pytest.mark.parametrize("retries", [0, 1, 5])
    @pytest.mark.parametrize("runs", [1, 100, 5_000])
    def test_cost_more_if_every_run_fails(self, runs: int, retries: int) -> None:
        """A further attempt takes four transitions, a final failure four, a dead letter and a notification
        one each. An execution counts 12 events an attempt and 34 for the failure: it hands over earlier. 14
        more are reserved for a metric, which a stack may be given later."""
        limit = MAX_EVENTS - (24 + 12 * retries + 48 + 17 + 2 * 3 * 8 + 70)
        spent, renewals = 13, 0
        for _ in range(runs + 1):  # the next run is planned too
            spent += 24
            if spent > limit:
                spent, renewals = 13 + 24, renewals + 1
            spent += 12 * (retries + 1) + 34
        failing = job(
            "a",
            every(1, start=NEW_YEAR),
            retry=ss.Retry(max_attempts=retries),
            dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead"),
            notify=ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms"),
        )
        prices = PRICES.replace(
            transitions=PRICES.transitions.replace(free_per_month=0),
            table=PRICES.table.replace(per_million_writes=0, per_million_reads=0),
        )
        (found,) = estimate([failing], NEW_YEAR, NEW_YEAR + (runs - 1) * MINUTE, prices=prices).services
        expected = 3 + runs * (7 + 4 * retries + 4 + 2) + 7 * renewals
        assert found.cost_if_all_fail == expected * prices.transitions.per_thousand / 1000
        assert found.cost < found.cost_if_all_fail

    def test_cost_175_times_as_much_as_on_eventbridge(self) -> None:
        jobs = [job("a", every(1))]
        prices = PRICES.replace(
            free_invocations_per_month=0, transitions=PRICES.transitions.replace(free_per_month=0)
        )
        dear, cheap = (
            estimate(jobs, NEW_YEAR, NEW_YEAR + 365 * DAY, prices=prices, backend=backend)
            for backend in (STEP_FUNCTIONS, EVENTBRIDGE)
        )
        transitions = services(dear)[STEP_FUNCTIONS].charges[0]
        assert transitions.cost / cheap.cost == pytest.approx(Decimal(175), abs=Decimal("0.3"))


class TestBackends:
    JOBS = (
        job("plain", every(5)),
        job("skip", every(5), overlap=ss.Overlap.SKIP),
        job("nightly report", every(5)),
        job("function", every(5), target=ss.CommandTarget(["true"])),
        job("both", every(5), target=ss.ParallelTarget([LAMBDA, LAMBDA])),
        job("template", every(5), target=TemplateTarget("arn:aws:inspector:eu-west-1:123456789012:t")),
    )

    def test_are_the_first_that_can_run_the_job(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY)
        assert found.backends == {
            "plain": EVENTBRIDGE,
            "skip": STEP_FUNCTIONS,
            "nightly report": STEP_FUNCTIONS,
            "function": LOCAL,
            "both": LOCAL,
            "template": EVENTBRIDGE,
        }
        assert {name: each.jobs for name, each in services(found).items()} == {
            EVENTBRIDGE: 2,
            STEP_FUNCTIONS: 2,
            LOCAL: 2,
        }
        assert found.invocations == sum(each.invocations for each in found.services) == 6 * 289
        assert found.cost == services(found)[STEP_FUNCTIONS].cost > 0

    @pytest.mark.parametrize("backend", [EVENTBRIDGE, STEP_FUNCTIONS, LOCAL])
    def test_price_a_job_that_they_can_run(self, backend: Any) -> None:
        found = estimate(self.JOBS[:1], NEW_YEAR, NEW_YEAR + 30 * DAY, backend=backend)
        assert [each.backend for each in found.services] == [backend]
        assert (found.cost > 0) == (backend == STEP_FUNCTIONS)

    @pytest.mark.parametrize(
        ("backend", "name", "reason"),
        [
            (EVENTBRIDGE, "skip", "it lacks what the job needs: overlap"),
            (EVENTBRIDGE, "nightly report", "it lacks what the job needs: any_name"),
            (STEP_FUNCTIONS, "template", "it lacks what the job needs: templates"),
            (STEP_FUNCTIONS, "function", "it lacks what the job needs: functions"),
        ],
    )
    def test_refuse_another_job_and_name_those_that_can(self, backend: Any, name: str, reason: str) -> None:
        (wanted,) = (each for each in self.JOBS if each.name == name)
        with pytest.raises(ss.UnsupportedError, match=reason) as refused:
            estimate([wanted], NEW_YEAR, NEW_YEAR + DAY, backend=backend)
        assert (refused.value.job, refused.value.backend) == (name, getattr(ss, backend).name)
        assert estimate([wanted], NEW_YEAR, NEW_YEAR).backends[name] in refused.value.alternatives

    def test_are_named_by_their_classes(self) -> None:
        words = (
            "expected one of EventBridgeBackend, StepFunctionsBackend, LocalBackend for backend, got 'sfn'"
        )
        with pytest.raises(ValueError, match=words):
            estimate([], NEW_YEAR, NEW_YEAR, backend="sfn")  # type: ignore[arg-type]

    def test_charge_nothing_in_a_process_of_ones_own(self) -> None:
        found = estimate(self.JOBS[3:4], NEW_YEAR, NEW_YEAR + DAY)
        assert found.cost == 0
        assert found.quota_share == 0
        assert "A process of yours: 1 job, 289 invocations; AWS charges nothing\n" in str(found)

    def test_are_the_same_in_text_in_a_notebook_and_as_data(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + 30 * DAY)
        page = _Cells()
        page.feed(found._repr_html_())
        text = str(found)
        for service in found.services:
            assert service.service in page.text
            assert f"{service.service}: {service.jobs:,} job" in text
            for charge in service.charges:
                shown = f"{charge.count:,}, of which {charge.free_per_month:,} a month are free; "
                shown = shown if charge.free_per_month else f"{charge.count:,}; "
                cost = "under 0.01" if 0 < charge.cost < Decimal("0.01") else f"{charge.cost:,.2f}"
                line = f"{shown}{cost} {charge.currency}"
                assert f"  {charge.units}: {line}" in text
                assert any(cell.startswith(line) for cell in page.text)
                assert f"({charge.region}, as of {charge.as_of})" in text
            for name, share in service.quota_shares.items():
                assert f"{name} {share:.2%}" in text
            failing = f"{service.cost_if_all_fail:,.2f} {service.currency} if every run failed"
            assert failing in text or not service.charges
        lines = [line.partition(": ") for line in text.split("\n")[: -len(found.collisions)]]
        cells = [cell.strip() for label, _, rest in lines for cell in (label, rest)]
        assert cells == page.text[: 2 * len(lines)]
        assert Estimate.model_validate_json(found.model_dump_json()) == found


class TestErrors:
    @pytest.mark.parametrize(
        ("since", "until", "message"),
        [
            (NEW_YEAR.replace(tzinfo=None), NEW_YEAR, "since is naive"),
            (NEW_YEAR, NEW_YEAR.replace(tzinfo=None), "until is naive"),
            (NEW_YEAR, NEW_YEAR - TICK, "expected until at or after since"),
            (NEW_YEAR, NEW_YEAR + 3_653 * DAY + TICK, "at most ten years"),
        ],
    )
    def test_name_what_is_wrong_with_the_span(self, since: datetime, until: datetime, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            estimate([], since, until)

    def test_name_what_is_no_datetime(self) -> None:
        with pytest.raises(TypeError, match="expected an aware datetime for until, got str"):
            estimate([], NEW_YEAR, "2031-01-01")  # type: ignore[arg-type]

    def test_name_what_is_no_job(self) -> None:
        with pytest.raises(TypeError, match="expected a Job, got Rate"):
            estimate([every(5)], NEW_YEAR, NEW_YEAR)  # type: ignore[arg-type]

    def test_name_what_stands_twice(self) -> None:
        jobs = [job(name, every(5)) for name in ("b", "a", "b", "c", "a", "a")]
        with pytest.raises(ValueError, match=r"duplicate job names: a, b$"):
            estimate(jobs, NEW_YEAR, NEW_YEAR)

    @pytest.mark.parametrize("wrong", [{"busiest": -1}, {"names": -1}, {"busiest": 1.5}, {"names": None}])
    def test_name_a_bound_that_is_none(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=f"whole number of at least 0 for {next(iter(wrong))}"):
            estimate([], NEW_YEAR, NEW_YEAR, **wrong)


class TestProgress:
    def test_grows_to_the_number_of_jobs(self) -> None:
        told: list[tuple[int, int]] = []
        jobs = [one_time(f"job-{index}", NEW_YEAR + index * MINUTE) for index in range(1_000)]
        estimate(iter(jobs), NEW_YEAR, NEW_YEAR, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (1_000, 1_000)
        assert told == sorted(set(told))
        assert 10 <= len(told) <= 110

    def test_is_silent_without_jobs(self) -> None:
        estimate([], NEW_YEAR, NEW_YEAR, progress=lambda done, total: pytest.fail("nothing to tell"))


class _Cells(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        """The texts of cells."""
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._tag = tag

    def handle_data(self, data: str) -> None:
        if self._tag in ("th", "td"):
            self.text.append(data)


class TestReport:
    FOUND = estimate(
        [job(f"job-{index}", ss.Cron("0 9 * * ? *")) for index in range(1_200)],
        NEW_YEAR,
        NEW_YEAR + 30 * DAY - SECOND,
        names=2,
        busiest=2,
    )

    def test_says_what_a_person_wants_to_know(self) -> None:
        assert str(self.FOUND) == (
            "Span: 2030-01-01 00:00 to 2030-01-30 23:59 UTC\n"
            "Invocations: 36,000; 36,528 a month\n"
            "EventBridge Scheduler: 1,200 jobs, 36,000 invocations; 0.00 USD; 0.00 USD a month; "
            "0.00 USD if every run failed after all its retries\n"
            "  invocations: 36,000, of which 14,000,000 a month are free; 0.00 USD; 0.00 USD a month "
            f"(us-east-1, as of {PRICES.as_of})\n"
            "  share of quotas: invocations_per_second 2.00%, schedules 0.01%, groups 0.20%\n"
            "Cost: 0.00 USD; 0.00 USD a month (without retries, and without what the targets cost)\n"
            "Peak: 1,200 in the minute 2030-01-01 09:00 UTC, and in 29 other minutes\n"
            "Minutes with two or more: 30\n"
            "  2030-01-01 09:00  1,200  job-0, job-1 and 1,198 more\n"
            "  2030-01-02 09:00  1,200  job-0, job-1 and 1,198 more"
        )

    def test_keeps_small_numbers_readable(self) -> None:
        found = estimate([one_time("once", NEW_YEAR)], NEW_YEAR, NEW_YEAR + 365 * DAY)
        assert "Invocations: 1; 0.0834 a month" in str(found)

    def test_is_a_table_in_a_notebook(self) -> None:
        page = _Cells()
        page.feed(self.FOUND._repr_html_())
        assert not page.tags & {"script", "a", "img"}
        for text in ("36,000; 36,528 a month", "1,200: job-0, job-1 and 1,198 more"):
            assert text in page.text

    def test_escapes_every_text(self) -> None:
        evil = "<script>alert('&')</script>"
        prices = PRICES.replace(
            currency=evil,
            transitions=PRICES.transitions.replace(currency=evil),
            table=PRICES.table.replace(currency=evil),
        )
        found = estimate([job("a", every(5))], NEW_YEAR, NEW_YEAR + DAY, prices=prices).replace(
            collisions=[BusyMinute(minute=NEW_YEAR, invocations=3, jobs=(evil, '"x"'))],
        )
        text = found._repr_html_()
        assert "<script" not in text
        page = _Cells()
        page.feed(text)
        assert not page.tags & {"script", "a", "img"}
        assert f'3: {evil}, "x" and 1 more' in page.text

    def test_mirrors_in_json(self) -> None:
        found = estimate(TestCollisions.JOBS, NEW_YEAR, NEW_YEAR + DAY)
        assert Estimate.model_validate_json(found.model_dump_json()) == found

    def test_is_frozen(self) -> None:
        with pytest.raises(ValidationError):
            self.FOUND.invocations = 0  # type: ignore[misc]


class TestLoad:
    JOBS = (
        *(job(f"often-{number}", every(7)) for number in range(3)),
        job("daily", ss.Cron("0 9 * * ? *")),
        job("elsewhere", ss.Cron("0 9 * * ? *")).replace(overlap=ss.Overlap.SKIP),
        one_time("once", NEW_YEAR + 9 * HOUR),
    )

    @pytest.mark.parametrize(
        ("span", "minutes", "parts"),
        [
            pytest.param(timedelta(0), 1, 1, id="one minute"),
            pytest.param(400 * MINUTE - SECOND, 1, 400, id="the most minutes"),
            pytest.param(400 * MINUTE, 2, 201, id="one more"),
            pytest.param(7 * DAY - SECOND, 30, 336, id="a week"),
            pytest.param(31 * DAY - SECOND, 120, 372, id="a month"),
            pytest.param(365 * DAY - SECOND, 1_440, 365, id="a year"),
            pytest.param(3_653 * DAY, 10 * 1_440, 366, id="ten years"),
        ],
    )
    def test_holds_the_peak_and_the_average_of_every_part(
        self, span: timedelta, minutes: int, parts: int
    ) -> None:
        jobs = self.JOBS if span < 40 * DAY else self.JOBS[3:]
        load = estimate(jobs, NEW_YEAR, NEW_YEAR + span).load
        assert (load.minutes_per_part, len(load.peaks), len(load.averages)) == (minutes, parts, parts)
        runs = walked(jobs, NEW_YEAR, NEW_YEAR + span).values()
        counts = Counter((run - NEW_YEAR) // MINUTE for instants in runs for run in instants)
        peaks, sums = [0] * parts, [0] * parts
        for minute, count in counts.items():
            part = minute // minutes
            peaks[part], sums[part] = max(peaks[part], count), sums[part] + count
        whole = span // MINUTE + 1
        lengths = [min(minutes, whole - part * minutes) for part in range(parts)]
        assert load.peaks == tuple(peaks)
        averages = [each / length for each, length in zip(sums, lengths, strict=True)]
        assert load.averages == pytest.approx(averages)

    def test_is_drawn_with_its_collisions_and_the_nearest_quota(self) -> None:
        crowd = [job(f"job-{number}", ss.Cron("0 9 * * ? *")) for number in range(30)]
        quotas = QUOTAS.replace(invocations_per_second=1)
        found = estimate(crowd, NEW_YEAR, NEW_YEAR + 7 * DAY, quotas=quotas, names=2, busiest=3)
        seen = written(read(found.to_svg(timezone="Europe/Paris")))
        assert seen[:4] == [
            "210 runs of 30 jobs: runs in a minute",
            "Tue 1 Jan 2030 01:00 to Tue 8 Jan 2030 01:00, Europe/Paris (+01:00)",
            "7 minutes have two or more runs.",
            "The busiest minute uses 50.0% of the quota invocations_per_second.",
        ]
        assert "invocations_per_second: 60 a minute" in seen
        assert "Wed 2 Jan 2030 10:00 +01:00: 30 runs: job-0, job-1 and 28 more" in seen
        with pytest.raises(ValueError, match="did you mean 'Europe/Paris'"):
            found.to_svg(timezone="Europe/Pariss")

    def test_of_a_process_of_ones_own_has_no_quota(self) -> None:
        found = estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY, backend="LocalBackend")
        assert not [text for text in written(read(found.to_svg())) if "quota" in text]

    def test_stands_above_the_table_in_a_notebook_if_there_is_any(self) -> None:
        assert "<svg" in estimate(self.JOBS, NEW_YEAR, NEW_YEAR + DAY).to_html()
        assert "<svg" not in estimate([], NEW_YEAR, NEW_YEAR + DAY).to_html()
