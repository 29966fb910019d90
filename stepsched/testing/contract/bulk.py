"""Tests many jobs at once: bulk verbs, plans, pruning and moves. No run has to start."""

from __future__ import annotations

from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import GROUPS, MakeJob, refused


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
        plan = client.plan([job("same"), job("changed", input=1), job("new")], prune=["default"])
        assert [each.name for each in plan.create] == ["new"]
        assert [(change.after.name, change.fields()) for change in plan.update] == [("changed", ("input",))]
        assert [each.name for each in plan.cancel] == ["gone"]
        assert plan.unchanged == ("same",)
        assert [line for line in str(plan).splitlines() if not line.startswith("!")] == [
            "+ new  At 09:00, UTC",
            '~ changed  input: {"job": "changed"} -> 1',
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

    def test_pruning_looks_in_the_named_groups_and_says_which_were_left_out(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("a", group="x"), job("b", group="x"), job("c", group="y"), job("d")])
        plan = client.plan([job("a", group="x")], prune=["x"])
        assert [each.name for each in plan.cancel] == ["b"]
        assert {"default", "y"} <= {*plan.unsearched} <= {"default", *GROUPS}
        assert "! not searched for jobs to cancel: groups default, " in str(plan)
        client.apply(plan)
        assert [record.name for record in client.list()] == ["a", "c", "d"]

    def test_the_last_job_of_a_group_can_be_pruned(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job("a", group="x"), job("c", group="y"), job("d")])
        client.apply([job("d")], prune=["y", "default"])
        assert [record.name for record in client.list()] == ["a", "d"]
        assert [each.name for each in client.apply([], prune=["x"]).cancel] == ["a"]
        assert [record.name for record in client.list()] == ["d"]

    def test_a_named_group_without_any_job_is_said_and_is_no_error(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("a", group="x"), job("b", group="g")])
        plan = client.plan([job("c", group="y")], prune=["x", "y", "other"])
        assert ([each.name for each in plan.cancel], plan.empty_groups) == (["a"], ("other",))
        assert "! no job in group other; correct prune=[...] if a name is misspelt" in str(plan).splitlines()
        client.apply(plan)
        assert client.plan([job("c", group="y")], prune=["x", "y"]).empty_groups == ("x",)
        for prune in (True, False):
            assert client.plan([job("c", group="y")], prune=prune).empty_groups == ()

    def test_pruning_without_groups_looks_in_all_that_belong_to_the_backend(
        self, client: ss.SchedulerClient, backend: Backend, job: MakeJob
    ) -> None:
        client.create_many([job("a", group="x"), job("b", group="x"), job("c", group="y"), job("d")])
        plan = client.plan([job("a", group="x")], prune=True)
        if backend.capabilities.unique_names:
            assert ([each.name for each in plan.cancel], plan.unsearched) == (["b", "c", "d"], ())
            client.apply([], prune=True)
            assert client.list() == []
        else:
            assert [each.name for each in plan.cancel] == ["b"]
            assert {"default", "y"} <= {*plan.unsearched}
            assert "x" not in plan.unsearched
            assert client.plan([], prune=True).is_empty

    @pytest.mark.parametrize(
        ("groups", "expected"),
        [
            pytest.param("x", TypeError, id="text"),
            pytest.param(None, TypeError, id="none"),
            pytest.param(1, TypeError, id="number"),
            pytest.param({"x": True}, TypeError, id="mapping"),
            pytest.param(["no group"], ValueError, id="no name"),
            pytest.param([None], ValueError, id="no text"),
        ],
    )
    def test_what_names_no_groups_is_refused(
        self, client: ss.SchedulerClient, job: MakeJob, groups: Any, expected: type[Exception]
    ) -> None:
        with pytest.raises(expected, match="for prune, got"):
            client.apply([job()], prune=groups)
        assert client.list() == []

    @pytest.mark.parametrize("prune", [True, ["x", "y"]], ids=["all", "named"])
    def test_a_job_in_another_group_is_moved_and_not_doubled(
        self,
        client: ss.SchedulerClient,
        job: MakeJob,
        prune: bool | list[str],  # noqa: FBT001 -- a parameter of the test
    ) -> None:
        client.create_many([job(group="x"), job("other", group="y")])
        before = client.get("job")
        client.pause("job")
        wanted = [job(group="y"), job("other", group="y")]
        plan = client.plan(wanted, prune=prune)
        assert str(plan).splitlines()[0] == "> job  group: x -> y; paused, stays paused"
        assert (plan.create, plan.cancel, plan.namesakes) == ((), (), ())
        (move,) = plan.update
        assert (move.is_move, move.before, move.after) == (True, before.job, wanted[0])
        for _ in range(2):
            client.apply(plan)
            assert [(record.name, record.job.group) for record in client.list()] == [
                ("job", "y"),
                ("other", "y"),
            ]
        after = client.get("job")
        assert (after.job, after.version, after.status) == (wanted[0], 2, ss.JobStatus.PAUSED)
        assert client.plan(wanted, prune=prune).is_empty

    def test_a_job_that_moves_may_change_too(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job(group="x"))
        plan = client.apply([job(group="y", input="new", tags={"team": "a"})], prune=True)
        assert str(plan).splitlines()[0] == (
            '> job  input: {"job": "job"} -> "new"; group: x -> y; tags.team: absent -> "a"'
        )
        (record,) = client.list()
        assert record.job == job(group="y", input="new", tags={"team": "a"})

    def test_a_job_that_has_changed_since_the_plan_is_not_moved(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job(group="x"))
        plan = client.plan([job(group="y")], prune=True)
        client.update(job(group="x", input="new"))
        with pytest.raises(ss.errors.BulkError) as caught:
            client.apply(plan)
        assert isinstance(caught.value.failures["job"], ss.ConflictError)
        (record,) = client.list()
        assert record.job == job(group="x", input="new")

    def test_without_prune_a_job_of_the_same_name_elsewhere_is_moved_or_named(
        self, client: ss.SchedulerClient, backend: Backend, job: MakeJob
    ) -> None:
        client.create(job(group="x"))
        plan = client.plan([job(group="y")])
        if backend.capabilities.unique_names:
            assert [each.is_move for each in plan.update] == [True]
            return
        assert [record.job.group for record in plan.namesakes] == ["x"]
        assert str(plan).splitlines()[:2] == [
            "+ job  At 09:00, UTC",
            "! job  group x has a job of this name too; use prune to move it",
        ]
        client.apply(plan)
        assert [record.job.group for record in client.list()] == ["x", "y"]

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


class TestManyAtOnce:
    """``pause_many``, ``resume_many`` and ``cancel_many``."""

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            pytest.param({"name_prefix": "a-"}, ["a-1", "a-2"], id="prefix"),
            pytest.param({"group": "x"}, ["a-2", "b-1"], id="group"),
            pytest.param({"tags": {"team": "red"}}, ["a-1", "b-1"], id="tags"),
            pytest.param({"group": "x", "tags": {"team": "red"}}, ["b-1"], id="several"),
            pytest.param({"name_prefix": "c"}, [], id="none"),
        ],
    )
    def test_act_on_the_jobs_that_match_and_can_be_repeated(
        self,
        client: ss.SchedulerClient,
        job: MakeJob,
        conditions: dict[str, Any],
        expected: list[str],
    ) -> None:
        red = {"team": "red"}
        jobs = [job("a-1", tags=red), job("a-2", group="x"), job("b-1", group="x", tags=red), job("b-2")]
        client.create_many(jobs)
        others = {each.name for each in jobs} - {*expected}
        for verb, status in ((client.pause_many, "paused"), (client.resume_many, "active")):
            for is_repeated in (False, True):
                records = verb(**conditions)
                left_out = is_repeated and status == "paused"
                assert [record.name for record in records] == ([] if left_out else expected)
                assert {record.status.value for record in records} <= {status}
                assert {each.name for each in client.list(status="active")} >= others
                assert [each.name for each in client.list(status="paused")] == (
                    expected if status == "paused" else []
                )
        records = client.cancel_many(**conditions)
        assert [(record.name, record.status.value) for record in records] == [
            (name, "cancelled") for name in expected
        ]
        assert {each.name for each in client.list()} == others
        assert client.cancel_many(**conditions) == []

    def test_report_progress(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job("a"), job("b")])
        progress = list[tuple[int, int]]()
        for verb in (client.pause_many, client.resume_many, client.cancel_many):
            verb(group="default", progress=lambda at, of: progress.append((at, of)))
            assert progress[-1] == (2, 2)
            progress.clear()

    def test_cancel_by_status(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job("a"), job("b")])
        client.pause("b")
        assert [record.name for record in client.cancel_many(status="paused")] == ["b"]
        assert [record.name for record in client.list()] == ["a"]

    @pytest.mark.parametrize(
        "conditions",
        [{}, {"name_prefix": ""}, {"tags": {}}, {"group": None}],
        ids=["none", "prefix", "tags", "group"],
    )
    def test_without_a_condition_none_is_cancelled_and_all_are_paused(
        self, client: ss.SchedulerClient, job: MakeJob, conditions: dict[str, Any]
    ) -> None:
        client.create_many([job("a"), job("b", group="x")])
        with pytest.raises(ValueError, match="expected a condition, got none; use status="):
            client.cancel_many(**conditions)
        assert [record.status.value for record in client.pause_many(**conditions)] == ["paused"] * 2
        assert [record.status.value for record in client.resume_many(**conditions)] == ["active"] * 2
