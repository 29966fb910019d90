"""Tests every verb on single jobs. No run has to start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, MakeJob, Play, same

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def names(client: ss.SchedulerClient, **conditions: Any) -> list[str]:
    return [record.name for record in client.list(**conditions)]


def test_a_created_job_is_active_at_version_1_and_knows_its_next_run(
    client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
) -> None:
    record = client.create(job())
    assert (record.name, record.status, record.version) == ("job", ss.JobStatus.ACTIVE, 1)
    assert (record.job, record.next_run) == (job(), NINE)
    assert (record.owned, record.current) == (True, True)
    assert record.last_run is None
    assert max(abs(record.created_at - MONDAY), abs(record.updated_at - MONDAY)) <= tolerance
    assert same(client.get("job"), record, tolerance)


@pytest.mark.parametrize(
    "schedule",
    [
        ss.OneTime("2031-01-01T09:00", timezone="Europe/Paris"),
        ss.OneTime("2031-01-01T09:00:30+05:30"),
        ss.Rate(timedelta(minutes=5), end=MONDAY + DAY),
        ss.Rate(timedelta(hours=5), start=MONDAY - 100 * DAY, end=MONDAY + DAY),
        ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        ss.Cron("0 9 L * ? *", start=MONDAY - DAY, end=MONDAY + 400 * DAY),
        ss.Cron.from_crontab("*/5 9 * * mon"),
        ss.Windowed("2031-01-01T09:00Z", every=ss.Frequency(days=2)),
        ss.Windowed("2031-01-31T09:00", every=ss.Frequency(months=1), timezone="Asia/Tokyo"),
        ss.Windowed("2029-01-31T09:00Z", every=ss.Frequency(days=2), end=MONDAY + 5 * DAY),
    ],
    ids=str,
)
def test_every_kind_of_job_comes_back_equal(
    client: ss.SchedulerClient, job: MakeJob, schedule: ss.Schedule, tolerance: timedelta
) -> None:
    whole = job(
        schedule=schedule,
        input={"deep": [1, 2.5, None, {"é": True}]},
        tags={"team": "a"},
        group="g",
        description="what it does",
        jitter=timedelta(minutes=1),
        retry=ss.Retry(max_attempts=2, max_age=HOUR / 2),
        completion=ss.Completion.KEEP,
    )
    record = client.create(whole)
    assert client.get(whole.name).job == whole
    assert same(client.create(whole), record, tolerance)
    assert client.plan([whole]).is_empty


def test_creating_an_equal_job_again_changes_nothing(
    client: ss.SchedulerClient, job: MakeJob, play: Play, tolerance: timedelta
) -> None:
    first = client.create(job())
    play(MONDAY + HOUR)
    assert same(client.create(job()), first, tolerance)
    assert len(client.list()) == 1


def test_a_name_is_not_taken_from_another_job(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    with pytest.raises(ss.JobExistsError, match="'job'"):
        client.create(job(input={"other": 1}))
    assert client.get("job").job == job()


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        pytest.param(ss.Cron("0 0 30 2 ? *"), "no date matches", id="30 February"),
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
    for verb in (client.get, client.pause, client.resume, client.cancel, client.run_now, client.versions):
        with pytest.raises(ss.JobNotFoundError, match="'nobody'"):
            verb("nobody")
    with pytest.raises(ss.JobNotFoundError):
        client.update(job("nobody"))
    with pytest.raises(ss.JobNotFoundError):
        client.backfill("nobody", since=MONDAY, until=NINE)
    with pytest.raises(ss.JobNotFoundError):
        client.get("no name at all")


def test_a_job_of_another_group_is_not_found_by_any_verb(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job(group="x"))
    for verb in (client.get, client.pause, client.resume, client.cancel, client.run_now, client.versions):
        with pytest.raises(ss.JobNotFoundError, match="'job'"):
            verb("job", group="y")
    with pytest.raises(ss.JobNotFoundError, match="'job'"):
        client.backfill("job", since=MONDAY, until=NINE, group="y")
    assert client.get("job").status is ss.JobStatus.ACTIVE


def test_every_verb_finds_a_job_by_its_group(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job(group="x"))
    assert client.pause("job", group="x").status is ss.JobStatus.PAUSED
    assert client.get("job", group="x").status is ss.JobStatus.PAUSED
    assert client.resume("job", group="x").status is ss.JobStatus.ACTIVE
    assert client.run_now("job", group="x").job == "job"
    assert client.update(job(group="x", input=1)).version == 2
    assert client.cancel("job", group="x").job == job(group="x", input=1)
    assert client.list() == []


class TestList:
    def test_filters_by_status_prefix_group_and_tags(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job("b-1", group="x", tags={"team": "a", "env": "prod"}))
        client.create(job("a-2", group="y", tags={"team": "a"}))
        client.create(job("a-1"))
        client.pause("a-2")
        assert names(client) == ["a-1", "a-2", "b-1"]
        assert names(client, name_prefix="a-") == ["a-1", "a-2"]
        assert names(client, name_prefix="A-") == []
        assert names(client, name_prefix="%") == []
        assert names(client, group="x") == ["b-1"]
        assert names(client, group="g") == []
        assert names(client, tags={"team": "a"}) == ["a-2", "b-1"]
        assert names(client, tags={"team": "a", "env": "prod"}) == ["b-1"]
        assert names(client, status="paused") == ["a-2"]
        assert names(client, status=ss.JobStatus.ACTIVE, name_prefix="a") == ["a-1"]
        assert names(client, status="cancelled") == []
        with pytest.raises(ValueError, match="asleep"):
            client.list(status="asleep")

    def test_pages_have_every_job_once_in_the_order_of_names(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        for name in ("c", "a", "e", "b", "d"):
            client.create(job(name, tags={"vowel": "yes"} if name in "ae" else {}))
        backend, query = client.backend, ss.backends.JobQuery()
        found = list[str]()
        after: tuple[str, str] | None = None
        while page := backend.page(query, after=after, limit=2):
            found += [record.name for record in page]
            after = page[-1].name, page[-1].job.group
            if found == ["a", "b"]:
                client.cancel("b")  # the page before ends with it
        assert found == ["a", "b", "c", "d", "e"]
        vowels = ss.backends.JobQuery(tags={"vowel": "yes"})
        assert [record.name for record in backend.page(vowels, after=None, limit=2)] == ["a", "e"]
        assert backend.page(vowels, after=("e", "default"), limit=2) == []

    def test_tells_ended_jobs_from_active_ones(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job("over", schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        client.create(job("on"))
        play(MONDAY + 2 * DAY)
        assert names(client, status="ended") == ["over"]
        assert names(client, status="active") == ["on"]
        assert names(client, status="paused") == []

    def test_gives_what_get_gives(
        self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
    ) -> None:
        client.create(job(tags={"a": "b"}))
        (record,) = client.list()
        assert same(record, client.get("job"), tolerance)

    def test_is_lazy_when_it_is_iterated(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        for name in ("c", "a", "b"):
            client.create(job(name))
        records = client.iterate()
        assert isinstance(records, Iterator)
        first = next(records)
        assert sorted([first.name, *(record.name for record in records)]) == ["a", "b", "c"]
        assert next(records, None) is None


class TestUpcoming:
    def test_every_job_goes_on_from_its_next_run(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job("daily"))
        client.create(job("other", group="other"))
        client.create(job("rate", schedule=ss.Rate(5 * HOUR)))
        client.create(job("once", schedule=ss.OneTime(NINE + DAY)))
        client.create(job("paused"))
        client.pause("paused")
        play(MONDAY + HOUR)
        until = MONDAY + 3 * DAY
        found = list(client.upcoming(until=until))
        assert [run.at for run in found] == sorted(run.at for run in found)
        assert {run.job.name for run in found} == {"daily", "other", "rate", "once"}
        for record in client.list(status="active"):
            runs = [run for run in found if run.job.name == record.name]
            assert runs[0].at == record.next_run
            assert {repr(run.job) for run in runs} == {repr(record.job)}
            assert len(runs) == {"once": 1, "rate": 14}.get(record.name, 3)
        assert [run.job.name for run in client.upcoming(limit=1, group="other")] == ["other"]


class TestUpdate:
    def test_gives_the_next_version_and_the_new_next_run(
        self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
    ) -> None:
        client.create(job())
        record = client.update(job(schedule=ss.Cron("30 8 * * ? *")))
        assert record.version == 2
        assert record.next_run == MONDAY + timedelta(hours=8, minutes=30)
        assert same(client.get("job"), record, tolerance)

    def test_changes_every_field(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", start=MONDAY + DAY, end=MONDAY + 9 * DAY)))
        whole = job(
            schedule=ss.Cron("0 8 * * ? *", timezone="Europe/Paris"),
            input=["other"],
            tags={"team": "b"},
            description="something else",
            jitter=timedelta(minutes=3),
            retry=ss.Retry(max_attempts=1, max_age=2 * HOUR),
        )
        client.update(whole)
        assert client.get("job").job == whole
        client.update(job())
        assert client.get("job").job == job()

    def test_with_an_equal_job_changes_nothing(
        self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
    ) -> None:
        first = client.create(job())
        assert same(client.update(job()), first, tolerance)

    def test_refuses_a_stale_version(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.update(job(input=1))
        with pytest.raises(ss.ConflictError, match="no longer at version 1"):
            client.update(job(input=2), expected_version=1)
        assert client.get("job").job.input == 1
        assert client.update(job(input=2), expected_version=2).version == 3

    def test_refuses_what_create_refuses(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        with pytest.raises(ss.InvalidScheduleError):
            client.update(job(schedule=ss.Cron("0 0 30 2 ? *")))
        with pytest.raises(ss.UnsupportedError):
            client.update(job(target=ss.HandlerTarget("nowhere:f")))
        assert (client.get("job").version, client.get("job").job) == (1, job())

    def test_keeps_a_paused_job_paused(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.pause("job")
        record = client.update(job(input=1))
        assert (record.status, record.next_run) == (ss.JobStatus.PAUSED, None)
        assert client.get("job").status is ss.JobStatus.PAUSED

    def test_brings_an_ended_job_back(self, client: ss.SchedulerClient, job: MakeJob, play: Play) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        play(MONDAY + 2 * DAY)
        assert client.get("job").status is ss.JobStatus.ENDED
        record = client.update(job())
        assert (record.status, record.next_run) == (ss.JobStatus.ACTIVE, NINE + 2 * DAY)

    def test_keeps_the_grid_of_a_rate_without_start(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        rate = ss.Rate(HOUR)
        client.create(job(schedule=rate))
        play(MONDAY + timedelta(minutes=90))
        record = client.update(job(schedule=rate, description="changed"))
        assert record.next_run == MONDAY + 2 * HOUR
        play(MONDAY + timedelta(minutes=150))
        assert client.get("job").next_run == MONDAY + 3 * HOUR


class TestPauseAndResume:
    def test_what_passed_meanwhile_is_not_due_any_more(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job())
        paused = client.pause("job")
        assert (paused.status, paused.next_run) == (ss.JobStatus.PAUSED, None)
        assert client.get("job").status is ss.JobStatus.PAUSED
        play(MONDAY + 3 * DAY)
        resumed = client.resume("job")
        assert (resumed.status, resumed.next_run) == (ss.JobStatus.ACTIVE, NINE + 3 * DAY)
        assert client.get("job").status is ss.JobStatus.ACTIVE

    @pytest.mark.parametrize(
        "schedule",
        [
            ss.Cron("0 9 * * ? *", start=MONDAY + DAY, end=MONDAY + 9 * DAY),
            ss.Rate(25 * HOUR),
            ss.Rate(25 * HOUR, start=MONDAY + DAY),
            ss.Rate(25 * HOUR, start=MONDAY - DAY, end=MONDAY + 9 * DAY),
            ss.Windowed(MONDAY - DAY, every=ss.Frequency(days=2)),
            ss.Windowed(MONDAY + DAY, every=ss.Frequency(days=2), end=MONDAY + 9 * DAY),
            ss.OneTime("2030-01-16T09:00", timezone="Europe/Paris"),
        ],
        ids=str,
    )
    def test_neither_changes_the_definition_at_any_age(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, schedule: ss.Schedule
    ) -> None:
        whole = job(schedule=schedule, tags={"team": "a"}, description="d", jitter=timedelta(minutes=1))
        client.create(whole)
        for days in range(0, 6, 2):
            now = MONDAY + days * DAY + HOUR / 2
            play(now)
            assert client.pause("job").job == whole
            assert client.resume("job").job == whole
            record = client.get("job")
            assert (record.job, record.version) == (whole, 1)
            assert record.next_run == whole.anchored(MONDAY).next_run(after=now)

    def test_a_rate_keeps_its_grid(self, client: ss.SchedulerClient, job: MakeJob, play: Play) -> None:
        client.create(job(schedule=ss.Rate(2 * HOUR)))
        client.pause("job")
        play(MONDAY + 3 * HOUR)
        assert client.resume("job").next_run == MONDAY + 4 * HOUR

    def test_twice_is_no_error(self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta) -> None:
        first = client.create(job())
        assert same(client.resume("job"), first, tolerance)
        assert same(client.pause("job"), client.pause("job"), tolerance)

    def test_an_ended_job_takes_neither(self, client: ss.SchedulerClient, job: MakeJob, play: Play) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        play(MONDAY + 2 * DAY)
        with pytest.raises(ss.InvalidTransitionError, match="cannot pause job 'job': it is ended"):
            client.pause("job")
        with pytest.raises(ss.InvalidTransitionError, match="cannot resume"):
            client.resume("job")

    def test_a_job_whose_last_run_passed_while_paused_ends_on_resume(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        client.pause("job")
        play(MONDAY + 2 * DAY)
        # A service that cannot store the schedule any more returns at once that the job has ended.
        assert client.get("job").status in (ss.JobStatus.PAUSED, ss.JobStatus.ENDED)
        record = client.resume("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)


class TestRunNow:
    @pytest.mark.parametrize("status", ["active", "paused", "ended"])
    def test_is_answered_whatever_the_status_and_leaves_the_job_alone(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, status: str, tolerance: timedelta
    ) -> None:
        client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        if status == "paused":
            client.pause("job")
        if status == "ended":
            play(MONDAY + 2 * DAY)
        before = client.get("job")
        now = client.backend.now()
        run = client.run_now("job")
        assert (run.job, run.status, run.trigger) == ("job", ss.RunStatus.PENDING, ss.jobs.Trigger.MANUAL)
        assert run.scheduled_for == now
        assert before.status.value == status
        after = client.get("job")  # without a fake clock, the run may have started and be the last one
        assert same(after.replace(last_run=before.last_run), before, tolerance)
        assert names(client) == ["job"]


class TestCancel:
    def test_deletes_the_job_and_gives_it_back(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job(tags={"team": "a"}))
        record = client.cancel("job")
        assert (record.status, record.next_run) == (ss.JobStatus.CANCELLED, None)
        assert record.job == job(tags={"team": "a"})
        with pytest.raises(ss.JobNotFoundError):
            client.get("job")
        with pytest.raises(ss.JobNotFoundError):
            client.cancel("job")
        assert client.list() == []

    def test_frees_the_name(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.update(job(input=1))
        record = client.create(client.cancel("job").job)
        assert (record.version, record.status) == (1, ss.JobStatus.ACTIVE)
        assert client.get("job").last_run is None

    def test_takes_paused_and_ended_jobs_too(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job("paused"))
        client.pause("paused")
        client.create(job("ended", schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
        play(MONDAY + 2 * DAY)
        for name in ("paused", "ended"):
            assert client.cancel(name).status is ss.JobStatus.CANCELLED
        assert client.list() == []


class TestEnd:
    def test_a_one_time_job_that_is_kept_has_ended(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE), completion=ss.Completion.KEEP))
        assert client.get("job").next_run == NINE
        play(NINE)
        record = client.get("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)

    @pytest.mark.parametrize(
        "schedule",
        [ss.Rate(DAY, start=MONDAY, end=MONDAY + 2 * DAY), ss.Cron("0 9 * * ? *", end=MONDAY + 2 * DAY)],
        ids=["rate", "cron"],
    )
    def test_a_recurring_job_past_its_window_says_so(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, schedule: ss.Schedule
    ) -> None:
        client.create(job(schedule=schedule))
        play(MONDAY + 9 * DAY)
        record = client.get("job")
        assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)
