"""What runs, when, how often, and what is recorded of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def handler(name: str) -> ss.HandlerTarget:
    return ss.HandlerTarget(f"stepsched.testing.contract.handlers:{name}")


def test_a_week_is_exactly_the_runs_that_the_schedules_say(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
) -> None:
    schedules: dict[str, ss.Schedule] = {
        "cron": ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        "windowed": ss.Windowed(MONDAY, every=ss.Frequency(days=2)),
        "rate": ss.Rate(6 * HOUR, start=MONDAY),
        "once": ss.OneTime(MONDAY + 3 * DAY),
    }
    for name, schedule in schedules.items():
        client.create(job(name, schedule=schedule))
    attempts = backend.run_until(MONDAY + 7 * DAY)
    expected = [
        (name, run)
        for name, schedule in schedules.items()
        for run in schedule.runs(after=MONDAY, until=MONDAY + 7 * DAY)
    ]
    order = list(schedules)  # runs of one instant come in the order of creation
    assert calls == sorted(expected, key=lambda call: (call[1], order.index(call[0])))
    assert attempts == len(expected)
    assert {run.status for run in client.runs()} == {ss.RunStatus.SUCCEEDED}


def test_a_rate_without_start_runs_at_its_creation(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
) -> None:
    client.create(job(schedule=ss.Rate(HOUR)))
    backend.run_until(MONDAY + 2 * HOUR)
    assert [at for _, at in calls] == [MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR]


def test_jitter_delays_the_start_and_not_the_scheduled_instant(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
) -> None:
    client.create(job(jitter=HOUR))
    backend.run_until(MONDAY + 5 * DAY)
    runs = client.runs("job")
    delays = [run.started_at - run.scheduled_for for run in runs if run.started_at]
    assert [run.scheduled_for for run in runs] == [NINE + day * DAY for day in range(5)]
    assert all(timedelta(0) < delay < HOUR for delay in delays)
    assert len(set(delays)) == 5


class TestRunNow:
    def test_runs_beside_the_schedule(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job())
        run = client.run_now("job")
        assert (run.status, run.trigger, run.scheduled_for) == (
            ss.RunStatus.PENDING,
            ss.Trigger.MANUAL,
            MONDAY,
        )
        backend.run_until(NINE)
        assert calls == [("job", MONDAY), ("job", NINE)]
        assert client.get("job").next_run == NINE + DAY

    def test_runs_a_paused_job_too(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job())
        client.pause("job")
        client.run_now("job")
        backend.run_until(MONDAY)
        assert calls == [("job", MONDAY)]
        assert client.get("job").status is ss.JobStatus.PAUSED


class TestRetry:
    def test_a_failed_run_is_tried_again_with_growing_pauses(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        retry = ss.Retry(max_attempts=5, interval=timedelta(seconds=10), backoff_rate=3)
        client.create(job(schedule=ss.OneTime(NINE), target=handler("fail_twice"), retry=retry))
        backend.run_until(MONDAY + DAY)
        (run,) = client.runs("job")
        assert (run.status, run.attempt, run.error) == (ss.RunStatus.SUCCEEDED, 3, None)
        assert run.started_at == NINE + timedelta(seconds=10 + 30)
        assert run.output == '"third time lucky"'
        assert len(calls) == 3

    def test_the_last_failure_is_kept(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job(target=handler("fail"), retry=ss.Retry(max_attempts=2)))
        backend.run_until(NINE + HOUR)
        (run,) = client.runs("job")
        assert (run.status, run.attempt, run.error) == (ss.RunStatus.FAILED, 3, "RuntimeError: no luck")
        assert run.ended_at == NINE + timedelta(seconds=1 + 2)
        assert client.get("job").status is ss.JobStatus.ACTIVE

    def test_no_attempt_is_older_than_the_maximum_age(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        retry = ss.Retry(max_attempts=185, max_age=timedelta(minutes=1), interval=timedelta(seconds=20))
        client.create(job(target=handler("fail"), retry=retry))
        backend.run_until(NINE + HOUR)
        (run,) = client.runs("job")
        assert run.started_at == NINE + timedelta(seconds=20 + 40)
        assert run.attempt == 3

    def test_a_one_time_job_stays_until_its_last_attempt(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(
            job(
                schedule=ss.OneTime(NINE),
                target=handler("fail"),
                retry=ss.Retry(max_attempts=1, interval=HOUR / 2),
            )
        )
        backend.run_until(NINE + HOUR / 4)
        assert client.get("job").status is ss.JobStatus.ACTIVE
        backend.run_until(NINE + HOUR)
        assert client.get("job").status is ss.JobStatus.ENDED  # it failed, so it can be redriven


class TestHistory:
    def test_filters_by_job_status_time_and_number(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job("good"))
        client.create(job("bad", target=handler("fail")))
        backend.run_until(MONDAY + 3 * DAY)
        assert len(client.runs()) == 6
        assert {run.job for run in client.runs(status="failed")} == {"bad"}
        assert [run.scheduled_for for run in client.runs("good", since=NINE + DAY)] == [
            NINE + DAY,
            NINE + 2 * DAY,
        ]
        assert [run.scheduled_for for run in client.runs("good", until=NINE)] == [NINE]
        assert [run.scheduled_for for run in client.runs("good", limit=1)] == [NINE + 2 * DAY]
        assert client.runs("good", status="failed") == []

    def test_naive_instants_and_negative_limits_are_refused(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        with pytest.raises(ValueError, match="since is naive"):
            client.runs("job", since=MONDAY.replace(tzinfo=None))
        with pytest.raises(ValueError, match="limit"):
            client.runs("job", limit=-1)
