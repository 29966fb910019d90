"""Tests many jobs at once, plans and pruning. No run has to start."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MakeJob, refused


class TestCreateMany:
    def test_stores_all_in_order_and_reports_progress(
        self, client: ss.SchedulerClient, job: MakeJob, many: int
    ) -> None:
        jobs = [job(f"job-{number}") for number in range(many)]
        progress = list[tuple[int, int]]()
        records = client.create_many(jobs, progress=lambda done, of: progress.append((done, of)))
        assert [record.job for record in records] == jobs
        assert progress == [(done, many) for done in (*range(1_000, many, 1_000), many)]
        assert {record.name: record.job for record in client.list()} == {each.name: each for each in jobs}

    def test_can_be_repeated(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job("a"), job("b")])
        again = client.create_many([job("a"), job("b"), job("c")])
        assert [(record.name, record.version) for record in again] == [("a", 1), ("b", 1), ("c", 1)]
        assert len(client.list()) == 3

    def test_stores_none_when_one_is_refused(
        self, client: ss.SchedulerClient, backend: Backend, job: MakeJob
    ) -> None:
        with pytest.raises(ss.InvalidScheduleError, match="'never'"):
            client.create_many([job("a"), job("never", schedule=ss.Cron("0 0 30 2 ? *"))])
        with pytest.raises(ss.UnsupportedError, match="'b'"):
            client.create_many([job("a"), job("b", target=ss.HandlerTarget("nowhere:f"))])
        with pytest.raises(ValueError, match="duplicate job names: a"):
            client.create_many([job("a"), job("a", input=1)])
        assert client.list() == []

    def test_does_not_take_a_name_from_another_job(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job("b", input=1))
        with pytest.raises(ss.errors.BulkError, match="1 of 3 failed") as caught:
            client.create_many([job("a"), job("b"), job("c")])
        assert caught.value.done == 2
        assert {name: type(error) for name, error in caught.value.failures.items()} == {
            "b": ss.JobExistsError
        }
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
        progress = list[tuple[int, int]]()
        done = client.apply(
            client.plan(wanted, prune=True), progress=lambda at, of: progress.append((at, of))
        )
        assert {record.name: record.job for record in client.list()} == {each.name: each for each in wanted}
        assert progress[-1] == (3, 3)
        assert not done.is_empty
        assert client.apply(wanted, prune=True).is_empty

    def test_pruning_keeps_to_the_groups_of_the_given_jobs(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("a", group="x"), job("b", group="x"), job("c", group="y"), job("d")])
        client.apply([job("a", group="x")], prune=True)
        assert [record.name for record in client.list()] == ["a", "c", "d"]
        client.apply([], prune=True)
        assert len(client.list()) == 3

    def test_applying_leaves_paused_jobs_paused(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job("same"), job("changed")])
        client.pause("same")
        client.pause("changed")
        client.apply([job("same"), job("changed", input=1)])
        assert {record.status for record in client.list()} == {ss.JobStatus.PAUSED}

    def test_without_prune_nothing_is_cancelled(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job("mine"))
        client.apply([job("new")])
        assert [record.name for record in client.list()] == ["mine", "new"]

    def test_a_plan_made_before_another_writer_is_refused(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        plan = client.plan([job(input=1), job("new")])
        client.update(job(input=2))
        with pytest.raises(ss.errors.BulkError) as caught:
            client.apply(plan)
        assert isinstance(caught.value.failures["job"], ss.ConflictError)
        assert caught.value.done == 1
        assert [record.name for record in client.list()] == ["job", "new"]
        assert client.get("job").job.input == 2

    def test_a_refused_update_stops_everything_before_it_starts(
        self, client: ss.SchedulerClient, backend: Backend, job: MakeJob
    ) -> None:
        client.create(job())
        with pytest.raises(ss.InvalidScheduleError):
            client.apply([job("new"), job(schedule=ss.Cron("0 0 30 2 ? *"))])
        with refused(backend, "job"):
            client.apply([job("new"), job(target=ss.HandlerTarget("nowhere:f"))])
        assert [record.name for record in client.list()] == ["job"]
        assert client.get("job").version == 1
