"""The verbs on jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob

DAY = timedelta(days=1)
NINE = MONDAY + timedelta(hours=9)


def test_a_created_job_is_active_at_version_1_and_knows_its_next_run(
    client: ss.SchedulerClient, job: MakeJob
) -> None:
    record = client.create(job())
    assert (record.name, record.status, record.version) == ("job", ss.JobStatus.ACTIVE, 1)
    assert (record.created_at, record.updated_at, record.next_run) == (MONDAY, MONDAY, NINE)
    assert record.last_run is None
    assert client.get("job") == record


def test_every_kind_of_job_comes_back_equal(client: ss.SchedulerClient, job: MakeJob) -> None:
    schedules: list[ss.Schedule] = [
        ss.OneTime("2031-01-01T09:00", timezone="Europe/Paris"),
        ss.Rate(timedelta(minutes=5), end=MONDAY + DAY),
        ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        ss.Cron.from_crontab("0 0 13 * 5"),
        ss.Windowed("2031-01-31T09:00", every=ss.Frequency(months=1), timezone="Asia/Tokyo"),
    ]
    for number, schedule in enumerate(schedules):
        whole = job(
            f"job-{number}",
            schedule=schedule,
            input={"deep": [1, 2.5, None, {"é": True}]},
            tags={"team": "a"},
            group="g",
            description="what it does",
            jitter=timedelta(minutes=1),
        )
        client.create(whole)
        assert client.get(whole.name).job == whole


def test_creating_an_equal_job_again_changes_nothing(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
) -> None:
    first = client.create(job())
    backend.run_until(MONDAY + timedelta(hours=1))
    assert client.create(job()) == first


def test_a_name_is_not_taken_from_another_job(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    with pytest.raises(ss.JobExistsError, match="'job'"):
        client.create(job(input={"other": 1}))
    assert client.get("job").job == job()


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        pytest.param(ss.Cron("0 0 30 2 ? *"), "no date fits", id="30 February"),
        pytest.param(ss.Cron("0 0 * * ? 1999"), "was due at 1999-12-31", id="past years"),
        pytest.param(ss.OneTime("2020-01-01T00:00"), "was due at 2020-01-01", id="past instant"),
        pytest.param(
            ss.Rate(DAY, start="2019-01-01T00:00Z", end="2020-01-01T00:00Z"), "2020-01-01", id="past window"
        ),
    ],
)
def test_a_job_that_would_never_run_is_refused_and_not_created(
    client: ss.SchedulerClient, job: MakeJob, schedule: ss.Schedule, why: str
) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=why):
        client.create(job(schedule=schedule))
    assert client.list() == []


def test_an_unknown_name_is_said_by_every_verb(client: ss.SchedulerClient, job: MakeJob) -> None:
    for verb in (client.get, client.pause, client.resume, client.cancel, client.run_now, client.runs):
        with pytest.raises(ss.JobNotFoundError, match="'nobody'"):
            verb("nobody")
    with pytest.raises(ss.JobNotFoundError):
        client.update(job("nobody"))


def test_list_filters_by_status_prefix_group_and_tags(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job("b-1", group="x", tags={"team": "a", "env": "prod"}))
    client.create(job("a-2", group="y", tags={"team": "a"}))
    client.create(job("a-1"))
    client.pause("a-2")

    def names(**conditions: Any) -> list[str]:
        return [record.name for record in client.list(**conditions)]

    assert names() == ["a-1", "a-2", "b-1"]
    assert names(name_prefix="a-") == ["a-1", "a-2"]
    assert names(name_prefix="A-") == []
    assert names(name_prefix="%") == []
    assert names(group="x") == ["b-1"]
    assert names(tags={"team": "a"}) == ["a-2", "b-1"]
    assert names(tags={"team": "a", "env": "prod"}) == ["b-1"]
    assert names(status="paused") == ["a-2"]
    assert names(status=ss.JobStatus.ACTIVE, name_prefix="a") == ["a-1"]
    with pytest.raises(ValueError, match="asleep"):
        client.list(status="asleep")


class TestUpdate:
    def test_gives_the_next_version_and_the_new_next_run(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        record = client.update(job(schedule=ss.Cron("30 8 * * ? *")))
        assert record.version == 2
        assert record.next_run == MONDAY + timedelta(hours=8, minutes=30)

    def test_with_an_equal_job_changes_nothing(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        first = client.create(job())
        assert client.update(job()) == first

    def test_refuses_a_stale_version(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.update(job(input=1))
        with pytest.raises(ss.ConflictError, match="no longer at version 1"):
            client.update(job(input=2), expected_version=1)
        assert client.get("job").job.input == 1

    def test_keeps_a_paused_job_paused(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.pause("job")
        record = client.update(job(input=1))
        assert (record.status, record.next_run) == (ss.JobStatus.PAUSED, None)

    def test_brings_an_ended_job_back(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        backend.run_until(MONDAY + 2 * DAY)
        assert client.get("job").status is ss.JobStatus.ENDED
        record = client.update(job())
        assert (record.status, record.next_run) == (ss.JobStatus.ACTIVE, NINE + 2 * DAY)

    def test_keeps_the_grid_of_a_rate_without_start(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        rate = ss.Rate(timedelta(hours=1))
        client.create(job(schedule=rate))
        backend.run_until(MONDAY + timedelta(minutes=90))
        record = client.update(job(schedule=rate, input=1))
        assert record.next_run == MONDAY + timedelta(hours=2)

    def test_does_not_run_an_instant_again(
        self,
        client: ss.SchedulerClient,
        backend: ss.LocalBackend,
        job: MakeJob,
        calls: Calls,
    ) -> None:
        client.create(job())
        backend.run_until(NINE)
        client.update(job(input=1))
        backend.run_until(NINE + timedelta(hours=1))
        assert calls == [("job", NINE)]


class TestPauseAndResume:
    def test_a_paused_job_does_not_come_due_and_what_passed_is_not_made_up(
        self,
        client: ss.SchedulerClient,
        backend: ss.LocalBackend,
        job: MakeJob,
        calls: Calls,
    ) -> None:
        client.create(job())
        paused = client.pause("job")
        assert (paused.status, paused.next_run) == (ss.JobStatus.PAUSED, None)
        backend.run_until(MONDAY + 3 * DAY)
        resumed = client.resume("job")
        assert (resumed.status, resumed.next_run) == (ss.JobStatus.ACTIVE, NINE + 3 * DAY)
        backend.run_until(MONDAY + 4 * DAY)
        assert calls == [("job", NINE + 3 * DAY)]

    def test_a_rate_keeps_its_grid(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.Rate(timedelta(hours=2))))
        client.pause("job")
        backend.run_until(MONDAY + timedelta(hours=3))
        assert client.resume("job").next_run == MONDAY + timedelta(hours=4)

    def test_twice_is_no_error(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        first = client.create(job())
        assert client.resume("job") == first
        assert client.pause("job") == client.pause("job")

    def test_an_ended_job_takes_neither(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        backend.run_until(MONDAY + 2 * DAY)
        with pytest.raises(ss.InvalidTransitionError, match="cannot pause job 'job': it is ended"):
            client.pause("job")
        with pytest.raises(ss.InvalidTransitionError, match="cannot resume"):
            client.resume("job")

    def test_a_job_whose_last_run_passed_while_paused_ends_on_resume(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE)))
        client.pause("job")
        backend.run_until(MONDAY + DAY)
        record = client.resume("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)


class TestCancel:
    def test_deletes_the_job_and_keeps_its_history(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job())
        backend.run_until(NINE)
        record = client.cancel("job")
        assert (record.status, record.next_run) == (ss.JobStatus.CANCELLED, None)
        with pytest.raises(ss.JobNotFoundError):
            client.get("job")
        assert [run.status for run in client.runs("job")] == [ss.RunStatus.SUCCEEDED]

    def test_closes_runs_that_have_not_started(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.run_now("job")
        client.cancel("job")
        (run,) = client.runs("job")
        assert (run.status, run.error) == (ss.RunStatus.SKIPPED, "the job was cancelled")

    def test_frees_the_name_for_a_job_with_runs_of_its_own(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job())
        backend.run_until(NINE)
        client.create(client.cancel("job").job)
        assert client.get("job").last_run is None
        backend.run_until(NINE + DAY)
        assert [run.scheduled_for for run in client.runs("job")] == [NINE, NINE + DAY]


class TestEnd:
    def test_a_one_time_job_is_gone_after_its_run(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE)))
        backend.run_until(NINE)
        assert client.list() == []
        assert [run.scheduled_for for run in client.runs("job")] == [NINE]

    def test_a_one_time_job_that_is_kept_has_ended(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE), completion=ss.Completion.KEEP))
        backend.run_until(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED

    def test_a_recurring_job_past_its_window_says_so(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob
    ) -> None:
        client.create(job(schedule=ss.Rate(DAY, start=MONDAY, end=MONDAY + 2 * DAY)))
        backend.run_until(MONDAY + 9 * DAY)
        record = client.get("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)
        assert len(client.runs("job")) == 2  # the start itself had passed when it was created
