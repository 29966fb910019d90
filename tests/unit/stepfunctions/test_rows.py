"""Tests the conversion of jobs and runs to rows, and back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.rows import (
    Claim,
    Item,
    Row,
    key,
    read_instant,
    read_row,
    read_run,
    read_versions,
    run_id,
    run_key,
    write_instant,
    write_row,
    write_run,
    write_second,
    write_version,
)

UTC = timezone.utc
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOKEN = "aaaaaaaaaaaa"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:runner:job-aaaaaaaaaaaa"
SCHEDULES = [
    ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
    ss.Cron(crontab="0 9 1 * MON", end="2040-01-01T00:00Z"),
    ss.Rate(timedelta(minutes=7)),
    ss.Rate(timedelta(days=3), start="2030-01-01T00:00:01Z"),
    ss.OneTime("2031-02-03T04:05:06", timezone="Asia/Kolkata"),
    ss.Windowed("2030-01-31T02:30", every=ss.Frequency(months=1), timezone="America/New_York"),
]


def row(**changes: Any) -> Row:
    job = ss.Job(
        name="job",
        schedule=SCHEDULES[0],
        target=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q"),
        input={"float": 0.1, "large": 2**60, "text": "🦉\x00", "null": None, "one": [1, 1.0, True]},
        tags={"a": "b"},
        retry=ss.Retry(max_attempts=7),
    )
    plain = Row(
        job=job,
        status=ss.JobStatus.ACTIVE,
        version=3,
        created_at=NOON + timedelta(microseconds=1),
        updated_at=NOON + timedelta(microseconds=999_999),
        anchor=NOON,
        cursor=NOON - SECOND,
        token=TOKEN,
        plan='{"kind":"cron"}',
    )
    return plain._replace(**changes)


def stored(given: Row) -> dict[str, Any]:
    return {**key(given.job.name), **write_row(given)}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: repr(schedule)[:40])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_job_comes_back_as_it_was_written(schedule: Any, token: str | None) -> None:
    written = row(token=token)
    written = written._replace(job=written.job.replace(schedule=schedule))
    assert read_row(stored(written)) == written


def test_the_reason_of_a_pause_comes_back_with_the_pause_alone() -> None:
    paused = row(status=ss.JobStatus.PAUSED, token=None, pause_reason="closing")
    assert stored(paused)["pause_reason"] == {"S": "closing"}
    assert read_row(stored(paused)) == paused
    assert "pause_reason" not in stored(row())
    # A client that does not know the attribute resumes the job and leaves it behind.
    assert read_row(stored(row()) | {"pause_reason": {"S": "closing"}}) == row()


@pytest.mark.parametrize("status", [ss.JobStatus.ACTIVE, ss.JobStatus.PAUSED, ss.JobStatus.ENDED])
def test_the_due_of_an_active_job_is_its_next_run(status: ss.JobStatus) -> None:
    written = stored(row(status=status))
    due = "2030-01-02T08:00:00Z" if status is ss.JobStatus.ACTIVE else "never"
    assert (written["due"], written["status"]) == ({"S": due}, {"S": status.value})
    past = row(job=row().job.replace(schedule=ss.OneTime("2029-01-01T00:00Z")))
    assert stored(past)["due"] == {"S": "never"}


def test_what_executions_write_is_read_and_not_written() -> None:
    claim = Claim("run#2030-01-01T08:00:00Z", EXECUTION, NOON)
    last = "run#2029-12-31T08:00:00Z"
    known = row(execution=EXECUTION, claim=claim, last=last)
    assert stored(known) == stored(row())
    more = {
        "execution": {"S": EXECUTION},
        "claimed_by": {"S": EXECUTION},
        "claimed": {"S": claim.key},
        "started_at": {"S": "2030-01-01T12:00:00.000Z"},
        "last": {"S": last},
    }
    assert read_row(stored(row()) | more) == known


@pytest.mark.parametrize("name", ["job", "status", "created_at", "updated_at", "anchor", "cursor", "plan"])
def test_half_a_row_is_named(name: str) -> None:
    item = stored(row())
    item[name] = {"S": "{}"}
    if name == "plan":
        del item[name]
    with pytest.raises(ValueError, match="row 'job' of the table cannot be read as a job: "):
        read_row(item)


def test_an_instant_comes_back_as_it_was_written() -> None:
    paris = timezone(timedelta(hours=1))
    for instant in (NOON, NOON + timedelta(microseconds=1), NOON.astimezone(paris)):
        assert read_instant(write_instant(instant)) == instant
    assert write_instant(NOON.astimezone(paris)) == "2030-01-01T12:00:00.000000Z"
    assert write_second(NOON.astimezone(paris)) == "2030-01-01T12:00:00Z"
    assert read_instant("2030-01-01T12:00:00.123Z") == NOON + timedelta(milliseconds=123)


def test_instants_sort_in_the_order_of_time() -> None:
    instants = [NOON + number * timedelta(hours=7, microseconds=3) for number in range(500)]
    assert sorted(map(write_instant, reversed(instants))) == [write_instant(each) for each in instants]


def test_versions_are_those_that_others_have_replaced() -> None:
    jobs = [row().job.replace(description=str(number)) for number in range(1, 12)]
    items: list[Item] = [
        {**key("job", number), **write_version(job, NOON + number * SECOND)}
        for number, job in enumerate(jobs, 1)
    ]
    found = read_versions(items[::-1], row(version=11))
    assert [(each.version, each.job, each.replaced_at) for each in found] == [
        (number, jobs[number - 1], NOON + (number + 1) * SECOND) for number in range(1, 11)
    ]


def test_versions_of_others_are_left_out() -> None:
    theirs = [{**key("job", number), "schedule": {"S": "cron(0 9 * * ? *)"}} for number in (1, 2)]
    ours = {**key("job", 3), **write_version(row().job, NOON)}
    assert read_versions([*theirs, ours], row(version=3)) == []
    newer = {**key("job", 4), **write_version(row().job, NOON + SECOND)}
    assert [each.version for each in read_versions([*theirs, ours, newer], row(version=4))] == [3]


# -- Runs -----------------------------------------------------------------------------------------------


def test_keys_of_runs_sort_in_the_order_of_time() -> None:
    instants = [NOON + number * timedelta(hours=7) for number in range(500)]
    keys = [run_key(instant) for instant in instants]
    assert sorted({*keys}) == keys
    for key_, following in pairwise(keys):
        unscheduled = [f"{key_}#{token}" for token in ("000000000000", "ffffffffffff")]
        assert [key_, *unscheduled, following] == sorted([key_, *unscheduled, following])


def test_a_key_holds_the_second_and_the_token() -> None:
    instant = NOON + timedelta(microseconds=999_999)
    assert run_key(instant) == "run#2030-01-01T12:00:00Z"
    assert run_key(instant, TOKEN) == f"run#2030-01-01T12:00:00Z#{TOKEN}"
    assert run_key(instant.astimezone(timezone(timedelta(hours=-5)))) == run_key(instant)


def test_ids_of_runs_are_unique_and_in_the_order_of_recording() -> None:
    names = [f"job-{number}" for number in range(20)]
    keys = [run_key(NOON + number * SECOND) for number in range(20)]
    moments = [NOON + timedelta(milliseconds=number) for number in range(20)]
    numbers = [run_id(name, key_, at) for at in moments for name in names for key_ in keys]
    assert len(set(numbers)) == len(numbers)
    portion = len(names) * len(keys)
    portions = [numbers[begin : begin + portion] for begin in range(0, len(numbers), portion)]
    assert all(max(earlier) < min(later) for earlier, later in pairwise(portions))
    assert run_id("job", keys[0], NOON) == run_id(
        "job", keys[0], NOON.astimezone(timezone(timedelta(hours=5)))
    )
    assert min(numbers) > 0


def test_a_pending_run_comes_back_as_it_was_written() -> None:
    version = run_key(NOON, TOKEN)
    recorded_at = NOON + SECOND
    run = ss.Run(
        id=run_id("job", version, recorded_at),
        job="job",
        scheduled_for=NOON + timedelta(microseconds=7),
        status=ss.RunStatus.PENDING,
        trigger=ss.jobs.Trigger.MANUAL,
    )
    item = write_run(run, token=TOKEN, recorded_at=recorded_at, version=version)
    assert read_run(item) == run
    assert item["token"] == {"S": TOKEN}
    assert read_run(item, "https://example.com").link == "https://example.com"


ENDED = {
    **key("job", run_key(NOON)),
    "due": {"S": "2030-01-01T12:00:00Z"},
    "attempts": {"N": "2"},
    "started_at": {"S": "2030-01-01T12:00:01.000Z"},
    "ended_at": {"S": "2030-01-01T12:00:02.000Z"},
    "error": {"S": ""},
    "cause": {"S": ""},
    "output": {"S": ""},
}


def test_a_scheduled_run_keeps_its_id_when_it_ends() -> None:
    run = read_run({**ENDED, "status": {"S": "succeeded"}})
    assert run.id == run_id("job", run_key(NOON), NOON)
    assert (run.trigger, run.attempt, run.restarted) == (ss.jobs.Trigger.SCHEDULE, 2, False)
    assert (run.started_at, run.ended_at) == (NOON + SECOND, NOON + 2 * SECOND)
    assert (run.error, run.output) == (None, None)


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [("E", "why", "E: why"), ("E", "", "E"), ("", "", None), ("", "why", ": why")],
)
def test_an_error_includes_its_cause(error: str, cause: str, words: str | None) -> None:
    item = {**ENDED, "status": {"S": "failed"}, "error": {"S": error}, "cause": {"S": cause}}
    assert read_run(item).error == words


def test_a_missed_run_has_not_started() -> None:
    run = read_run({**ENDED, "status": {"S": "skipped"}, "started_at": {"S": ""}, "attempts": {"N": "0"}})
    assert (run.status, run.started_at, run.attempt) == (ss.RunStatus.SKIPPED, None, 0)
