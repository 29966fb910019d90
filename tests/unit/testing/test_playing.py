"""``play``: what jobs would do, while nothing is called."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.testing import PlayedRun, play

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
DAY = timedelta(days=1)
PARIS = "Europe/Paris"


def job(name: str, **changes: object) -> ss.Job:
    return ss.Job(
        name=name, schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget("gone.away:report")
    ).replace(**changes)


def played(*jobs: ss.Job, days: float = 1) -> list[PlayedRun]:
    return list(play(jobs, since=MONDAY, until=MONDAY + days * DAY))


def starts(*jobs: ss.Job, days: float = 1) -> list[tuple[str, str]]:
    return [(each.job.name, f"{each.at:%d %H:%M %z}") for each in played(*jobs, days=days)]


def test_no_target_is_called(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    targets = [
        ss.CommandTarget(["touch", str(touched)]),
        ss.HandlerTarget("gone.away:report"),
        ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
    ]
    wanted = [*targets, ss.ParallelTarget(targets)]
    jobs = [job(f"job-{number}", target=target) for number, target in enumerate(wanted)]
    assert [each.job for each in played(*jobs)] == jobs
    assert not touched.exists()


def test_runs_of_all_jobs_come_in_the_order_of_their_starts() -> None:
    jobs = [
        job("noon", schedule=ss.Cron("0 12 * * ? *", timezone=PARIS)),
        job("rate", schedule=ss.Rate(timedelta(hours=12))),
        job("once", schedule=ss.OneTime("2030-01-07T11:30Z")),
    ]
    assert starts(*jobs, days=0.99) == [
        ("rate", "07 00:00 +0000"),
        ("noon", "07 12:00 +0100"),
        ("once", "07 11:30 +0000"),
        ("rate", "07 12:00 +0000"),
    ]


def test_both_ends_of_the_play_are_inclusive() -> None:
    midnights = job("midnight", schedule=ss.Cron("0 0 * * ? *"))
    assert starts(midnights) == [("midnight", "07 00:00 +0000"), ("midnight", "08 00:00 +0000")]
    assert starts(midnights, days=0) == [("midnight", "07 00:00 +0000")]


def test_a_run_with_jitter_starts_later_than_it_is_scheduled() -> None:
    (each,) = played(job("spread", jitter=timedelta(hours=1)))
    assert each.run.scheduled_for == MONDAY + timedelta(hours=9) < each.at <= MONDAY + timedelta(hours=10)


def test_a_job_that_does_not_run_is_left_out() -> None:
    over = ss.OneTime("2030-01-06T00:00Z")
    ended = ss.Rate(timedelta(hours=1), end=MONDAY)
    jobs = [
        job("disabled", enabled=False),
        job("over", schedule=over),
        job("ended", schedule=ended),
        job("disabled-rate", schedule=ss.Rate(timedelta(hours=1), end=MONDAY + DAY), enabled=False),
    ]
    assert played(*jobs) == []


def test_the_input_has_its_placeholders_filled_in() -> None:
    (each,) = played(job("filled", input={"day": ss.context.SCHEDULED_TIME, "n": [1]}))
    assert each.input == {"day": "2030-01-07T09:00:00Z", "n": [1]}
    assert (each.run.attempt, each.run.status) == (1, ss.RunStatus.RUNNING)


def test_a_clock_change_moves_the_runs_as_on_the_backend() -> None:
    until = datetime(2030, 4, 1, tzinfo=timezone.utc)
    nightly = job("nightly", schedule=ss.Cron("30 2 * * ? *", timezone=PARIS))
    since = until - 3 * DAY
    runs = play([nightly], since=since, until=until)
    assert [each.at for each in runs] == list(nightly.schedule.runs(after=since, until=until))


def test_runs_are_yielded_while_the_time_is_played() -> None:
    every_minute = job("minute", schedule=ss.Rate(timedelta(minutes=1)))
    runs = play([every_minute], since=MONDAY, until=MONDAY + 36_500 * DAY)  # 52 million runs
    assert [f"{each.at:%H:%M}" for each in islice(runs, 3)] == ["00:00", "00:01", "00:02"]


def test_a_wrong_argument_is_refused_before_the_play() -> None:
    with pytest.raises(ValueError, match="expected until at or after since"):
        play([], since=MONDAY, until=MONDAY - DAY)
    with pytest.raises(ValueError, match="duplicate job names: a"):
        play([job("a"), job("a")], since=MONDAY, until=MONDAY)
    with pytest.raises(TypeError, match="expected"):
        play(["a"], since=MONDAY, until=MONDAY)  # type: ignore[list-item]


def test_many_runs_after_a_long_quiet_time_are_all_yielded() -> None:
    first = MONDAY + 2 * DAY
    every_minute = ss.Rate(timedelta(minutes=1), start=first)
    jobs = [job(f"job-{number}", schedule=every_minute) for number in range(100)]
    assert sum(1 for _ in play(jobs, since=MONDAY, until=first + timedelta(minutes=59))) == 6_000
