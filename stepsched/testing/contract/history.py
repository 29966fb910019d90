"""Tests the records of runs: attempts, results, filters, earlier versions, backfill, dead letters."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def test_every_run_is_recorded_with_its_end(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.Rate(HOUR, start=MONDAY)))
    play(MONDAY + 5 * HOUR)
    assert [(run.scheduled_for, run.status) for run in client.runs()] == [
        (at, ss.RunStatus.SUCCEEDED) for _, at in calls
    ]
    assert len(calls) == 5
    assert client.get("job").last_run == client.runs()[-1]


def test_a_run_now_waits_until_it_is_started(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job())
    run = client.run_now("job")
    assert (run.status, run.scheduled_for) == (ss.RunStatus.PENDING, MONDAY)
    play(NINE)
    assert calls == [("job", MONDAY), ("job", NINE)]
    assert [each.trigger for each in client.runs()] == [ss.jobs.Trigger.MANUAL, ss.jobs.Trigger.SCHEDULE]


def test_jitter_delays_the_start_and_not_the_scheduled_instant(
    client: ss.SchedulerClient, job: MakeJob, play: Play
) -> None:
    client.create(job(jitter=HOUR))
    play(MONDAY + 5 * DAY)
    runs = client.runs("job")
    delays = [run.started_at - run.scheduled_for for run in runs if run.started_at]
    assert [run.scheduled_for for run in runs] == [NINE + day * DAY for day in range(5)]
    assert len(delays) == 5
    assert all(timedelta(0) <= delay <= HOUR for delay in delays)
    assert len(set(delays)) > 2


class TestRetry:
    def test_a_failed_run_is_tried_again_with_growing_pauses(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, twice_failing: ss.Target
    ) -> None:
        retry = ss.Retry(max_attempts=5, interval=timedelta(seconds=10), backoff_rate=3)
        client.create(job(schedule=ss.OneTime(NINE), target=twice_failing, retry=retry))
        play(MONDAY + DAY)
        (run,) = client.runs("job")
        assert (run.status, run.attempt, run.error) == (ss.RunStatus.SUCCEEDED, 3, None)
        assert run.started_at == NINE + timedelta(seconds=10 + 30)
        assert run.output == '"third time lucky"'
        assert len(calls) == 3

    def test_the_last_failure_is_kept(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        client.create(job(target=failing, retry=ss.Retry(max_attempts=2)))
        play(NINE + HOUR)
        (run,) = client.runs("job")
        assert (run.status, run.attempt) == (ss.RunStatus.FAILED, 3)
        assert "no luck" in (run.error or "")
        assert run.ended_at == NINE + timedelta(seconds=1 + 2)
        assert client.get("job").status is ss.JobStatus.ACTIVE

    def test_no_attempt_is_older_than_the_maximum_age(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        retry = ss.Retry(max_attempts=185, max_age=timedelta(minutes=1), interval=timedelta(seconds=20))
        client.create(job(target=failing, retry=retry))
        play(NINE + HOUR)
        (run,) = client.runs("job")
        assert run.started_at == NINE + timedelta(seconds=20 + 40)
        assert run.attempt == 3

    def test_a_one_time_job_stays_until_its_last_attempt(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        client.create(
            job(
                schedule=ss.OneTime(NINE),
                target=failing,
                retry=ss.Retry(max_attempts=1, interval=HOUR / 2),
            )
        )
        play(NINE + HOUR / 4)
        assert client.get("job").status is ss.JobStatus.ACTIVE
        play(NINE + HOUR)
        assert client.get("job").status is ss.JobStatus.ENDED  # it failed, so it can be redriven


class TestHistory:
    def test_filters_by_job_status_time_and_number(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        client.create(job("good"))
        client.create(job("bad", target=failing))
        play(MONDAY + 3 * DAY)
        assert len(client.runs()) == 6
        assert {run.job for run in client.runs(status="failed")} == {"bad"}
        assert [run.scheduled_for for run in client.runs("good", since=NINE + DAY)] == [
            NINE + DAY,
            NINE + 2 * DAY,
        ]
        assert [run.scheduled_for for run in client.runs("good", until=NINE)] == [NINE]
        assert [run.scheduled_for for run in client.runs("good", limit=1)] == [NINE + 2 * DAY]
        assert client.runs("good", status="failed") == []

    def test_runs_before_a_run_are_the_latest_by_their_ids(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job())
        play(MONDAY + 3 * DAY)
        client.backfill("job", since=NINE - 2 * DAY, until=NINE - DAY)  # they are recorded later
        ids = [run.id for run in client.runs("job")]
        assert ids == sorted(ids)
        for name in ("job", None):
            query = ss.backends.RunQuery(job=name, before=ids[-1] + 1, limit=2)
            assert [run.id for run in client.backend.runs(query)] == ids[-2:]
            query = ss.backends.RunQuery(job=name, before=ids[2], limit=5)
            assert [run.id for run in client.backend.runs(query)] == ids[:2]


class TestCancelled:
    def test_deletes_the_job_and_keeps_its_history(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job())
        play(NINE)
        record = client.cancel("job")
        assert (record.status, record.next_run) == (ss.JobStatus.CANCELLED, None)
        with pytest.raises(ss.JobNotFoundError):
            client.get("job")
        assert [run.status for run in client.runs("job")] == [ss.RunStatus.SUCCEEDED]

    def test_closes_runs_that_have_not_started(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, *, starts_when_played: bool
    ) -> None:
        client.create(job())
        client.run_now("job")
        client.cancel("job")
        play(MONDAY)
        (run,) = client.runs("job")
        if starts_when_played:
            assert (run.status, run.error) == (ss.RunStatus.SKIPPED, "the job was cancelled")
        else:
            assert run.status in (ss.RunStatus.SKIPPED, ss.RunStatus.SUCCEEDED)

    def test_frees_the_name_for_a_job_with_runs_of_its_own(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job())
        play(NINE)
        client.create(client.cancel("job").job)
        assert client.get("job").last_run is None
        play(NINE + DAY)
        assert [run.scheduled_for for run in client.runs("job")] == [NINE, NINE + DAY]


class TestEnded:
    def test_a_one_time_job_is_gone_after_its_run(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE)))
        play(NINE)
        assert client.list() == []
        assert [run.scheduled_for for run in client.runs("job")] == [NINE]

    def test_a_recurring_job_past_its_window_says_so(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job(schedule=ss.Rate(DAY, start=MONDAY, end=MONDAY + 2 * DAY)))
        play(MONDAY + 9 * DAY)
        record = client.get("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)
        assert len(client.runs("job")) == 2  # the start itself had passed when it was created


def test_every_replaced_definition_is_kept(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job(input=1))
    assert client.versions("job") == []
    client.update(job(input=2))
    client.update(job(input=3))
    assert [(old.version, old.job.input) for old in client.versions("job")] == [(1, 1), (2, 2)]
    assert {old.replaced_at for old in client.versions("job")} == {MONDAY}
    client.create(client.cancel("job").job)
    assert client.versions("job") == []


class TestBackfill:
    def test_runs_the_instants_of_the_past_once(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job())
        play(NINE)
        calls.clear()
        runs = client.backfill("job", since=NINE - 3 * DAY, until=NINE + 3 * DAY)
        assert [run.scheduled_for for run in runs] == [NINE - 3 * DAY, NINE - 2 * DAY, NINE - DAY]
        assert {run.trigger for run in runs} == {ss.jobs.Trigger.BACKFILL}
        assert client.backfill("job", since=NINE - 3 * DAY, until=NINE) == []
        play(NINE)
        assert calls == [("job", run.scheduled_for) for run in runs]


class TestDeadLetters:
    def test_are_listed_and_redriven(
        self,
        client: ss.SchedulerClient,
        job: MakeJob,
        play: Play,
        calls: Calls,
        failing: ss.Target,
        target: ss.Target,
    ) -> None:
        client.create(job("bad", target=failing, retry=ss.Retry(max_attempts=1)))
        client.create(job("good"))
        play(NINE + HOUR)
        (letter,) = client.dead_letters()
        assert (letter.job, letter.attempt) == ("bad", 2)
        assert "no luck" in (letter.error or "")
        client.update(client.get("bad").job.replace(target=target))
        again = client.redrive(letter)
        assert (again.id, again.status, again.attempt) == (letter.id, ss.RunStatus.PENDING, 0)
        play(NINE + HOUR)
        assert client.dead_letters("bad") == []
        assert client.get("bad").last_run is not None

    def test_a_one_time_job_that_failed_can_be_redriven(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE), target=failing))
        play(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED
        client.redrive(client.dead_letters()[0])
        assert client.get("job").status is ss.JobStatus.ACTIVE
        play(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED
        assert len(calls) == 2

    def test_only_failed_runs_of_present_jobs_are_redriven(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, failing: ss.Target
    ) -> None:
        client.create(job("good"))
        client.create(job("bad", target=failing))
        play(NINE)
        with pytest.raises(ss.InvalidTransitionError, match="succeeded"):
            client.redrive(client.runs("good")[0])
        (letter,) = client.dead_letters()
        client.cancel("bad")
        with pytest.raises(ss.InvalidTransitionError, match="gone"):
            client.redrive(letter)


def test_a_run_that_has_ended_is_waited_for_no_longer(
    client: ss.SchedulerClient, job: MakeJob, play: Play
) -> None:
    client.create(job())
    run = client.run_now("job")
    play(MONDAY + DAY)
    ended = client.wait(run)
    assert (ended.id, ended.status, ended.trigger) == (run.id, ss.RunStatus.SUCCEEDED, ss.jobs.Trigger.MANUAL)
    assert [client.wait(each, timeout=0) for each in client.runs("job")] == client.runs("job")


def test_a_run_that_nobody_knows_is_not_waited_for(
    client: ss.SchedulerClient, job: MakeJob, play: Play
) -> None:
    client.create(job())
    run = client.run_now("job")
    play(MONDAY + DAY)
    for foreign in (run.replace(id=run.id + 1), run.replace(job="nobody")):
        with pytest.raises(
            ss.errors.RunNotFoundError, match=f"there is no run {foreign.id} of job {foreign.job!r}"
        ):
            client.wait(foreign, timeout=0)
