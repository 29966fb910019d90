"""The client of workflows: what it asks of a store, what it refuses, and how it waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.core.errors import ConflictError
from stepsched.testing.contract.workflows.lab import Fail, Hold, Ok, statuses
from stepsched.workflows import RestartPlan, WorkflowRun
from stepsched.workflows.arguments import RestartArguments, is_run_id, new_run_id
from stepsched.workflows.port import Changes
from tests.unit.workflows.conftest import MemoryLab


@pytest.fixture
def flows(lab: MemoryLab) -> ss.WorkflowClient:
    return lab.client


class TestBackend:
    def test_without_one_workflows_are_in_memory(self) -> None:
        flows = ss.WorkflowClient()
        assert isinstance(flows.backend, ss.LocalBackend)
        assert repr(flows) == f"WorkflowClient({flows.backend!r})"
        flows.close()
        with pytest.raises(ss.BackendError, match="CLOSED"):
            flows.list()

    def test_a_backend_that_runs_no_workflows_is_refused_with_those_that_do(self) -> None:
        role = "arn:aws:iam::123456789012:role/r"
        backend = ss.EventBridgeBackend(role_arn=role, session=boto3.Session(region_name="eu-west-1"))
        with pytest.raises(ss.UnsupportedError, match="LocalBackend; StepFunctionsBackend"):
            ss.WorkflowClient(backend)

    def test_something_else_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"expected a backend, such as LocalBackend\('jobs.db'\)"):
            ss.WorkflowClient("jobs.db")  # type: ignore[arg-type]

    def test_a_block_starts_and_stops_a_given_backend_and_leaves_it_open(self) -> None:
        backend = ss.LocalBackend()
        with ss.WorkflowClient(backend) as flows:
            assert backend.is_served()
            assert flows.list() == []
        assert flows.list() == []
        backend.close()

    def test_a_run_of_a_block_ends_in_it(self) -> None:
        step = ss.Step("a", target=ss.HandlerTarget(lambda: 3))
        with ss.WorkflowClient() as flows:
            run = flows.wait(flows.start(ss.Workflow("flow", steps=[step])), timeout=30)
            assert run.by_name["a"].result == 3


class TestNames:
    @pytest.mark.parametrize("given", [None, 3, ["nightly"], b"nightly"])
    def test_a_name_is_text(self, flows: ss.WorkflowClient, given: Any) -> None:
        with pytest.raises(TypeError, match="expected the name of a workflow, got"):
            flows.get(given)

    def test_a_value_in_place_of_its_name_is_told_so(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(TypeError, match=r"got a Workflow; use its \.name"):
            flows.get(lab.flow(lab.step("a")))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"got a WorkflowRun; use its \.workflow"):
            flows.runs(run)  # type: ignore[arg-type]

    def test_a_text_that_no_workflow_can_have_as_name_is_unknown(self, flows: ss.WorkflowClient) -> None:
        with pytest.raises(ss.errors.WorkflowNotFoundError):
            flows.get("a\nb")

    @pytest.mark.parametrize("given", [None, 3, {}, ss.Cron])
    def test_a_run_is_a_record_or_a_text(self, flows: ss.WorkflowClient, given: Any) -> None:
        with pytest.raises(TypeError, match="expected a WorkflowRun or its key"):
            flows.status(given)

    def test_the_name_of_a_workflow_may_contain_a_slash(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        lab.name = "team/nightly"
        run = lab.play(lab.step("a"))
        other = lab.settle(flows.start(lab.name, run_id="one"))
        assert flows.status(run.key) == run
        assert flows.status("team/nightly") == flows.status("team/nightly/one") == other
        assert flows.status("team/nightly/@latest") == other
        with pytest.raises(ss.errors.RunNotFoundError, match="'two'"):
            flows.status("team/nightly/two")

    @pytest.mark.parametrize(
        ("version", "words"),
        [(0, "at least 1"), (-1, "whole number"), ("1", "whole number"), (True, "whole number")],
    )
    def test_a_version_is_a_number(self, flows: ss.WorkflowClient, version: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            flows.get("flow", version)


class TestIds:
    def test_later_runs_have_later_ids(self) -> None:
        now = datetime(2030, 1, 7, 3, tzinfo=timezone(timedelta(hours=1)))
        assert new_run_id(now, bytes([0, 1, 30, 31])) == "20300107T020000Z-01yz"
        assert new_run_id(now, b"abcd") < new_run_id(now + timedelta(seconds=1), b"abcd")
        assert is_run_id(new_run_id(now, b"abcd"))

    @pytest.mark.parametrize("run_id", ["2018-09-22T19:55:26.747498", "a", "x" * 64])
    def test_ids_of_users(self, lab: MemoryLab, flows: ss.WorkflowClient, run_id: str) -> None:
        assert flows.start(lab.flow(lab.step("a")), run_id=run_id).id == run_id

    @pytest.mark.parametrize("run_id", ["", "x" * 65, "a/b", "a b", "é", "@latest"])
    def test_other_ids_are_refused(self, lab: MemoryLab, flows: ss.WorkflowClient, run_id: str) -> None:
        with pytest.raises(ValueError, match=r"expected 1 to 64 of A-Z a-z 0-9 - _ \. : for run_id"):
            flows.start(lab.flow(lab.step("a")), run_id=run_id)
        assert flows.list() == []

    def test_an_id_is_text(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        with pytest.raises(TypeError, match="expected a string for run_id, got 7"):
            flows.start(lab.flow(lab.step("a")), run_id=7)  # type: ignore[arg-type]


class TestStart:
    def test_what_the_backend_cannot_run_is_refused_before_it_is_stored(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        def refuse(flow: ss.Workflow) -> None:
            raise ss.UnsupportedError(flow.name, "memory", "no", (), "workflow")

        lab.store.refused = refuse
        for call in (flows.put, flows.start):
            with pytest.raises(ss.UnsupportedError, match="the memory backend refuses workflow 'flow': no"):
                call(lab.flow(lab.step("a")))
        assert flows.list() == []

    @pytest.mark.parametrize("given", [None, 3, {"name": "flow"}])
    def test_something_else_than_a_workflow_is_refused(self, flows: ss.WorkflowClient, given: Any) -> None:
        with pytest.raises(TypeError, match="expected a Workflow, got"):
            flows.put(given)
        with pytest.raises(TypeError, match="expected a Workflow, got"):
            flows.start(given)

    def test_a_subclass_is_refused_because_it_would_be_read_back_as_a_workflow(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        class Mine(ss.Workflow, frozen=True):
            """A workflow."""

        with pytest.raises(TypeError, match="expected a Workflow, got Mine"):
            flows.put(Mine(name="flow", steps=(lab.step("a"),)))

    def test_the_input_is_copied_and_checked_before_anything_is_stored(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        given: dict[str, Any] = {"days": ["monday"]}
        run = flows.start(lab.flow(lab.step("a")), input=given)
        given["days"].append("tuesday")
        assert flows.status(run).input == {"days": ["monday"]}
        lab.name = "other"
        with pytest.raises(ValueError, match="which is not JSON"):
            flows.start(lab.flow(lab.step("a")), input={"day": object()})  # type: ignore[dict-item]
        assert [each.name for each in flows.list()] == ["flow"]


class TestRestart:
    def failed(self, lab: MemoryLab) -> WorkflowRun:
        return lab.play(lab.step("a", Fail(), Ok()), lab.step("b", needs=["a"]))

    def test_a_run_that_changes_meanwhile_is_planned_anew(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = self.failed(lab)
        asked = lab.store.change
        refusals = [1, 2, 3]

        def change(changes: Changes) -> WorkflowRun:
            if refusals:
                refusals.pop()
                raise ConflictError(run.key, changes.run.revision)
            return asked(changes)

        vars(lab.store)["change"] = change
        assert lab.settle(flows.restart(run)).status.value == "succeeded"
        assert not refusals

    def test_a_run_that_always_changes_is_given_up(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = self.failed(lab)
        tried = []

        def change(changes: Changes) -> WorkflowRun:
            tried.append(changes)
            raise ConflictError("x", 9)

        vars(lab.store)["change"] = change
        with pytest.raises(ss.ConflictError, match=f"workflow run '{run.key}' was changed in the meantime"):
            flows.restart(run)
        assert len(tried) == 6
        with pytest.raises(ss.ConflictError):
            flows.skip(run, "a")

    def test_a_plan_is_not_made_anew(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = self.failed(lab)
        plan = flows.plan_restart(run)
        flows.skip(run, "a")
        lab.store.changes.clear()
        with pytest.raises(ss.ConflictError):
            flows.restart(plan)
        assert lab.store.changes == []

    def test_a_plan_stores_its_new_definition_when_it_is_carried_out(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = self.failed(lab)
        flow = lab.flow(lab.step("a"), description="mended")
        plan = flows.plan_restart(run, workflow=flow)
        assert flows.get(lab.name).version == 1
        assert lab.settle(flows.restart(plan)).version == 2
        assert flows.get(lab.name).definition == flow

    def test_a_plan_says_which_reused_step_has_changed_since(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a"), lab.step("b", Fail(), needs=["a"]))
        flow = lab.flow(lab.step("a", input={"new": True}), lab.step("b", needs=["a"]))
        first, second = flows.plan_restart(run, workflow=flow).steps
        assert "its definition has changed since" in first.reason
        assert second.reason == "failed"

    def test_a_definition_of_another_name_is_refused(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = self.failed(lab)
        lab.name = "other"
        with pytest.raises(ValueError, match="expected a definition of workflow 'flow', got one of 'other'"):
            flows.restart(run, workflow=lab.flow(lab.step("a")))

    def test_a_live_run_without_a_failure_is_only_made_to_go_on(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))
        lab.until_running(run, "a")
        assert flows.restart(run).restarts == 0
        assert lab.store.changes == []
        lab.release("a")
        assert lab.settle(run).by_name["a"].attempt == 1

    def test_a_succeeded_run_whose_arguments_run_nothing_is_refused(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(ss.InvalidTransitionError, match="nothing to restart"):
            flows.restart(run, skip="a")
        assert flows.status(run) == run

    def test_steps_are_given_as_names_steps_or_iterators(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(step := lab.step("a"), lab.step("b"))
        for given in ("a", step, ["a"], iter(["a"]), {"a"}):
            plan = flows.plan_restart(run, only=given)
            assert plan.names(ss.workflows.RestartAction.RUN) == ("a",)

    @pytest.mark.parametrize("argument", ["from_", "only", "skip", "mark_succeeded"])
    def test_something_else_is_refused(self, lab: MemoryLab, flows: ss.WorkflowClient, argument: str) -> None:
        run = self.failed(lab)
        with pytest.raises(TypeError, match=f"for {argument}, got 7"):
            flows.restart(run, **{argument: 7})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"expected a step of workflow 'flow' for {argument}"):
            flows.restart(run, **{argument: [7]})  # type: ignore[arg-type]

    def test_a_definition_must_be_a_workflow(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        with pytest.raises(TypeError, match="expected a Workflow, got str"):
            flows.restart(self.failed(lab), workflow="flow")  # type: ignore[arg-type]

    def test_no_wish_is_none(self) -> None:
        assert RestartArguments.of((), (), (), (), None, None).is_empty
        assert not RestartArguments.of((), (), (), {"a": None}, None, None).is_empty
        assert not RestartArguments.of((), (), (), (), {}, None).is_empty

    def test_a_plan_prints_as_a_table(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("extract"), lab.step("load", Fail(), needs=["extract"]))
        assert str(flows.plan_restart(run)).splitlines()[1:] == [
            "STEP     ACTION  NOW        WHY",
            "extract  reuse   succeeded  has succeeded",
            "load     run     failed     failed",
        ]

    def test_a_plan_is_a_table_in_a_notebook(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        html = flows.plan_restart(self.failed(lab))._repr_html_()
        assert "<table" in html
        assert "failed" in html

    def test_a_plan_of_a_run_that_is_gone_names_the_run(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        plan = RestartPlan(workflow="flow", run="gone", revision=0, steps=())
        with pytest.raises(ss.errors.RunNotFoundError, match="'gone'"):
            flows.restart(plan)


class TestSkip:
    @pytest.mark.parametrize("reason", ["", "a\nb", "x" * 201])
    def test_a_reason_is_one_line(self, lab: MemoryLab, flows: ss.WorkflowClient, reason: str) -> None:
        run = lab.play(lab.step("a", Fail()))
        with pytest.raises(ValueError, match="expected 1 to 200 visible characters on one line"):
            flows.skip(run, "a", reason=reason)

    def test_a_step_is_given_as_one_too(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        step = lab.step("a", Fail())
        assert statuses(flows.skip(lab.play(step), step)) == {"a": "skipped"}


class TestWait:
    def test_the_ended_run_is_returned(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a"), lab.step("b", needs=["a"])))
        assert flows.wait(run).status.value == "succeeded"
        assert flows.wait(lab.name, timeout=0).id == run.id

    def test_each_look_is_told(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        seen: list[dict[str, str]] = []
        run = flows.start(lab.flow(lab.step("a"), lab.step("b", needs=["a"])))
        flows.wait(run, progress=lambda present: seen.append(statuses(present)))
        assert seen[0] == {"a": "running", "b": "pending"}
        assert seen[-1] == {"a": "succeeded", "b": "succeeded"}

    def test_without_a_screen_each_change_is_a_line_of_the_log(
        self, lab: MemoryLab, flows: ss.WorkflowClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Fail("full")), lab.step("b", needs=["a"])), run_id="r")
        with caplog.at_level(logging.INFO, "stepsched.workflow_client"):
            flows.wait(run)
        lines = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
        assert lines == [
            "flow/r: step a: running",
            "flow/r: step a: failed, full",
            "flow/r: step b: upstream_failed, step 'a' failed",
            "flow/r is failed, 1 failed, 1 upstream_failed, 0 ms",
        ]

    def test_the_pauses_grow_up_to_a_second(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))
        looks = flows._looks_at(run, None, lambda _: None)
        pauses = [next(looks) for _ in range(12)]
        assert pauses[:3] == [0.005, 0.01, 0.02]
        assert pauses[-1] == 1.0
        lab.release("a")
        assert isinstance(next(looks), WorkflowRun)

    @pytest.mark.parametrize(
        ("timeout", "error"),
        [("1", TypeError), (True, TypeError), (-1, ValueError), (float("nan"), ValueError)],
    )
    def test_other_timeouts_are_refused(
        self, lab: MemoryLab, flows: ss.WorkflowClient, timeout: Any, error: type[Exception]
    ) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(error, match="timeout"):
            flows.wait(run, timeout=timeout)

    def test_progress_is_a_function(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(TypeError, match="expected a function or None for progress, got True"):
            flows.wait(run, progress=True)  # type: ignore[arg-type]

    def test_a_run_that_cannot_end_meanwhile_is_refused(
        self, lab: MemoryLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))
        why: Callable[[], str] = lambda: "its clock stands still"  # noqa: E731 -- it takes the place of a method
        vars(lab.store)["why_wait_is_endless"] = why
        with pytest.raises(
            ss.UnsupportedError, match=f"refuses workflow run '{run.key}': its clock stands still"
        ):
            flows.wait(run)

    def test_ctrl_c_leaves_the_run_running(self, lab: MemoryLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))

        def interrupt(_: WorkflowRun) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            flows.wait(run, progress=interrupt)
        assert flows.status(run).status.value == "running"


def test_tables_of_another_scheduler_are_read_only_where_there_are_tables(flows: ss.WorkflowClient) -> None:
    with pytest.raises(ss.UnsupportedError, match=r"cannot read tables of DynamoDB .*StepFunctionsBackend"):
        flows.take_over(schedules_table="schedules")


def test_a_plan_says_how_the_run_goes_on(lab: MemoryLab, flows: ss.WorkflowClient) -> None:
    flow = lab.flow(lab.step("a", Fail("full")), lab.step("b", needs=["a"]))
    run = flows.wait(flows.start(flow, run_id="r"))
    assert str(flows.plan_restart(run)).splitlines()[0] == "restart of flow/r: run 2"
    asked = list[Changes]()

    def method(changes: Changes) -> str:
        asked.append(changes)
        return "redrive"

    vars(lab.store)["restart_method"] = method
    plan = flows.plan_restart(run)
    assert str(plan).splitlines()[0] == "restart of flow/r: run 2; by redrive"
    flows.plan_restart(run, workflow=flow.replace(description="changed"))
    assert [(each.run, each.version) for each in asked] == [(run, 1), (run, 2)]
    assert flows.wait(flows.restart(plan)).status.has_ended
