"""Many jobs at once, plans, versions, backfill and dead letters."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR
FAIL = ss.HandlerTarget("stepsched.testing.contract.handlers:fail")


class TestCreateMany:
    def test_stores_all_in_order_and_tells_how_far_it_is(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        jobs = [job(f"job-{number}") for number in range(2_500)]
        told = list[tuple[int, int]]()
        records = client.create_many(jobs, progress=lambda done, of: told.append((done, of)))
        assert [record.job for record in records] == jobs
        assert told == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]
        assert len(client.list()) == 2_500

    def test_can_be_repeated(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        first = client.create_many([job("a"), job("b")])
        assert client.create_many([job("a"), job("b"), job("c")])[:2] == first

    def test_stores_none_when_one_is_refused(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        with pytest.raises(ss.InvalidScheduleError, match="'never'"):
            client.create_many([job("a"), job("never", schedule=ss.Cron("0 0 30 2 ? *"))])
        with pytest.raises(ss.UnsupportedError, match="nowhere"):
            client.create_many([job("a"), job("b", target=ss.HandlerTarget("nowhere:f"))])
        with pytest.raises(ValueError, match="stand twice: a"):
            client.create_many([job("a"), job("a", input=1)])
        assert client.list() == []

    def test_does_not_take_a_name_from_another_job(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job("b", input=1))
        with pytest.raises(ss.BulkError, match="1 of 3 failed") as caught:
            client.create_many([job("a"), job("b"), job("c")])
        assert [type(error) for error in caught.value.failures.values()] == [ss.JobExistsError]
        assert [record.name for record in client.list()] == ["a", "b", "c"]
        assert client.get("b").job.input == 1


class TestPlanAndApply:
    def test_a_plan_says_what_would_change_and_changes_nothing(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("same"), job("changed"), job("gone"), job("elsewhere", group="other")])
        before = client.list()
        plan = client.plan([job("same"), job("changed", input=1), job("new")], prune=True)
        assert [each.name for each in plan.create] == ["new"]
        assert [(change.after.name, change.fields()) for change in plan.update] == [("changed", ("input",))]
        assert [each.name for each in plan.cancel] == ["gone"]
        assert plan.unchanged == ("same",)
        assert str(plan).splitlines() == [
            "+ new  At 09:00, UTC",
            "~ changed  input",
            "- gone",
            "1 to create, 1 to update, 1 to cancel, 1 unchanged",
        ]
        assert client.list() == before

    def test_applying_leads_there_and_a_second_plan_is_empty(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("same"), job("changed"), job("gone")])
        wanted = [job("same"), job("changed", input=1), job("new")]
        told = list[tuple[int, int]]()
        done = client.apply(client.plan(wanted, prune=True), progress=lambda at, of: told.append((at, of)))
        assert {record.name: record.job for record in client.list()} == {each.name: each for each in wanted}
        assert told[-1] == (3, 3)
        assert not done.is_empty
        assert client.apply(wanted, prune=True).is_empty

    def test_without_prune_nothing_is_cancelled(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job("mine"))
        client.apply([job("new")])
        assert [record.name for record in client.list()] == ["mine", "new"]

    def test_a_plan_made_before_another_writer_is_refused(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        plan = client.plan([job(input=1)])
        client.update(job(input=2))
        with pytest.raises(ss.BulkError) as caught:
            client.apply(plan)
        assert isinstance(caught.value.failures["job"], ss.ConflictError)
        assert client.get("job").job.input == 2

    def test_a_refused_update_stops_everything_before_it_starts(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        with pytest.raises(ss.InvalidScheduleError):
            client.apply([job("new"), job(schedule=ss.Cron("0 0 30 2 ? *"))])
        assert [record.name for record in client.list()] == ["job"]


def test_every_replaced_definition_is_kept(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job(input=1))
    assert client.versions("job") == []
    client.update(job(input=2))
    client.update(job(input=3))
    assert [(old.version, old.job.input) for old in client.versions("job")] == [(1, 1), (2, 2)]
    assert {old.replaced_at for old in client.versions("job")} == {MONDAY}
    client.create(client.cancel("job").job)
    assert client.versions("job") == []
    with pytest.raises(ss.JobNotFoundError):
        client.versions("nobody")


class TestBackfill:
    def test_runs_the_instants_of_the_past_once(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job())
        backend.run_until(NINE)
        calls.clear()
        runs = client.backfill("job", since=NINE - 3 * DAY, until=NINE + 3 * DAY)
        assert [run.scheduled_for for run in runs] == [NINE - 3 * DAY, NINE - 2 * DAY, NINE - DAY]
        assert {run.trigger for run in runs} == {ss.Trigger.BACKFILL}
        assert client.backfill("job", since=NINE - 3 * DAY, until=NINE) == []
        backend.run_until(NINE)
        assert calls == [("job", run.scheduled_for) for run in runs]

    def test_refuses_naive_instants_and_a_turned_stretch(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        with pytest.raises(ValueError, match="since is naive"):
            client.backfill("job", since=NINE.replace(tzinfo=None), until=NINE)
        with pytest.raises(ValueError, match="lies before"):
            client.backfill("job", since=NINE, until=NINE - DAY)
        with pytest.raises(ss.JobNotFoundError):
            client.backfill("nobody", since=NINE, until=NINE)


class TestDeadLetters:
    def test_are_listed_and_redriven(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job("bad", target=FAIL, retry=ss.Retry(max_attempts=1)))
        client.create(job("good"))
        backend.run_until(NINE + HOUR)
        (letter,) = client.dead_letters()
        assert (letter.job, letter.attempt, letter.error) == ("bad", 2, "RuntimeError: no luck")
        client.update(
            client.get("bad").job.replace(target=ss.HandlerTarget("stepsched.testing.contract.handlers:note"))
        )
        again = client.redrive(letter)
        assert (again.id, again.status, again.attempt) == (letter.id, ss.RunStatus.PENDING, 0)
        backend.run_until(NINE + HOUR)
        assert client.dead_letters("bad") == []
        assert client.get("bad").last_run is not None

    def test_a_one_time_job_that_failed_can_be_redriven(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE), target=FAIL))
        backend.run_until(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED
        client.redrive(client.dead_letters()[0])
        assert client.get("job").status is ss.JobStatus.ACTIVE
        backend.run_until(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED
        assert len(calls) == 2

    def test_only_failed_runs_of_present_jobs_are_redriven(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        client.create(job("good"))
        client.create(job("bad", target=FAIL))
        backend.run_until(NINE)
        with pytest.raises(ss.InvalidTransitionError, match="succeeded"):
            client.redrive(client.runs("good")[0])
        (letter,) = client.dead_letters()
        client.cancel("bad")
        with pytest.raises(ss.InvalidTransitionError, match="gone"):
            client.redrive(letter)

    def test_go_to_the_function_that_stands_for_their_queue(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
    ) -> None:
        queue = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
        with pytest.raises(ss.UnsupportedError, match="QueueTarget"):
            client.create(job(dead_letter=queue))
        sent = list[tuple[object, object, str | None]]()
        backend.register(
            ss.QueueTarget, lambda target, payload, run: sent.append((target, payload, run.error))
        )
        client.create(job(target=FAIL, dead_letter=queue, input={"n": 1}))
        backend.run_until(NINE)
        assert sent == [(queue, {"n": 1}, "RuntimeError: no luck")]
