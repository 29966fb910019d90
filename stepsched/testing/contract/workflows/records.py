"""Tests of stored definitions, and of the records of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.workflows.lab import (
    RETRY_AT_ONCE,
    Fail,
    Hold,
    Ok,
    WorkflowLab,
    statuses,
)
from stepsched.workflows import (
    Condition,
    RestartPlan,
    WorkflowRunStatus,
    input_of,
)


class TestDefinitions:
    def test_a_stored_workflow_reads_back_as_it_was_written(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(
            lab.step("a", input={"day": input_of("day")}),
            lab.step("b", needs=["a"], when=Condition(step="a", operator=">", value=1), retry=RETRY_AT_ONCE),
            input={"day": "monday"},
            description="Ärger mit Öl",
            on_failure="stop",
        )
        stored = flows.put(flow)
        assert (stored.version, stored.definition) == (1, flow)
        assert flows.get(lab.name) == stored
        assert lab.name in {each.name for each in flows.list()}

    def test_an_equal_workflow_is_not_stored_again(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        step = lab.step("a")
        assert flows.put(lab.flow(step)) == flows.put(lab.flow(step))

    def test_a_changed_workflow_is_the_next_version(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        step = lab.step("a")
        first = flows.put(lab.flow(step))
        second = flows.put(lab.flow(step, description="new"))
        assert [first.version, second.version] == [1, 2]
        assert flows.get(lab.name) == second
        assert flows.get(lab.name, 1).definition == first.definition
        again = flows.put(lab.flow(step))
        assert again.version == 3

    def test_an_unknown_workflow_is_named_with_those_that_are_alike(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flows.put(lab.flow(lab.step("a")))
        with pytest.raises(ss.errors.WorkflowNotFoundError, match=f"did you mean '{lab.name}'") as caught:
            flows.get(f"{lab.name}x")
        assert caught.value.name == f"{lab.name}x"
        with pytest.raises(ss.errors.WorkflowNotFoundError):
            flows.start("nothing-like-it")

    def test_an_unknown_version_is_named(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flows.put(lab.flow(lab.step("a")))
        with pytest.raises(ss.errors.WorkflowNotFoundError, match="version 9"):
            flows.get(lab.name, 9)

    def test_a_run_goes_on_with_the_definition_with_which_it_began(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold()), lab.step("b", needs=["a"])))
        lab.until_running(run, "a")
        flows.put(lab.flow(lab.step("other")))
        lab.release("a")
        run = lab.settle(run)
        assert statuses(run) == {"a": "succeeded", "b": "succeeded"}
        assert run.version == 1


class TestRuns:
    def test_an_id_makes_the_start_repeatable(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a"))
        first = flows.start(flow, run_id="2030-01-07T02:00:00")
        assert first.id == "2030-01-07T02:00:00"
        ended = lab.settle(first)
        again = flows.start(lab.name, run_id=first.id, input={"other": True})
        assert again == ended
        assert lab.calls == ["a"]

    def test_a_start_with_the_id_of_a_live_run_returns_it(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(lab.step("a", Hold()))
        run = flows.start(flow, run_id="one")
        lab.until_running(run, "a")
        assert flows.start(flow, run_id="one").started_at == run.started_at
        lab.release("a")
        assert lab.settle(run).by_name["a"].attempt == 1
        assert lab.calls == ["a"]

    def test_without_an_id_each_start_is_a_run(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a"))
        first, second = flows.start(flow), flows.start(flow)
        assert first.id != second.id
        lab.settle(first)
        lab.settle(second)
        assert {run.id for run in flows.runs(lab.name)} == {first.id, second.id}

    def test_a_run_is_read_by_its_record_its_key_and_the_name(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a"))
        assert flows.status(run) == flows.status(run.key) == flows.status(lab.name) == run
        assert flows.status(f"{lab.name}/@latest") == run

    def test_an_unknown_run_is_named(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a"))
        lab.settle(flows.start(flow, run_id="the-first-one"))
        with pytest.raises(ss.errors.RunNotFoundError, match="'the-first-one'"):
            flows.status(f"{lab.name}/the-first-two")
        with pytest.raises(ss.errors.WorkflowNotFoundError):
            flows.status("nothing-like-it/1")

    def test_runs_are_chosen_by_name_status_and_time(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(lab.step("a", Ok(), Fail(), Ok()))
        ended = [lab.settle(flows.start(flow, run_id=f"r{number}")) for number in (1, 2, 3)]
        assert flows.runs(lab.name) == ended
        assert flows.runs(lab.name, status="failed") == [ended[1]]
        assert flows.runs(lab.name, status=WorkflowRunStatus.SUCCEEDED, limit=1) == [ended[2]]
        assert flows.runs(lab.name, limit=2) == ended[1:]
        assert flows.runs(lab.name, limit=0) == []
        last = max(run.started_at for run in ended)
        assert flows.runs(lab.name, since=last + timedelta(seconds=1)) == []
        assert flows.runs(lab.name, until=ended[0].started_at - timedelta(seconds=1)) == []
        assert flows.runs(lab.name, since=ended[0].started_at, until=last) == ended

    def test_runs_of_a_workflow_without_any_are_none(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flows.put(lab.flow(lab.step("a")))
        assert flows.runs(lab.name) == []
        with pytest.raises(ss.errors.RunNotFoundError):
            flows.status(lab.name)
        with pytest.raises(ss.errors.WorkflowNotFoundError):
            flows.runs("nothing-like-it")

    def test_arguments_are_checked(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a"))
        wrong: Iterable[Callable[[], object]] = (
            lambda: flows.start(flow, run_id="a/b"),
            lambda: flows.start(flow, run_id=""),
            lambda: flows.runs(since=datetime(2030, 1, 1)),
            lambda: flows.runs(status="done"),
            lambda: flows.runs(limit=-1),
        )
        for call in wrong:
            with pytest.raises(ValueError, match=r"expected|naive"):
                call()

    def test_a_wait_that_is_too_short_says_so_and_the_run_goes_on(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))
        lab.until_running(run, "a")
        with pytest.raises(ss.errors.WaitTimeoutError, match="still running"):
            flows.wait(run, timeout=0)
        lab.release("a")
        assert lab.settle(run).status is WorkflowRunStatus.SUCCEEDED

    def test_a_repair_finds_nothing_to_do(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        lab.play(lab.step("a"), lab.step("b", Fail()))
        assert flows.repair() == []

    def test_a_plan_survives_json(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a", Fail(), Ok()))
        plan = RestartPlan.model_validate_json(flows.plan_restart(run).model_dump_json())
        assert lab.settle(flows.restart(plan)).status is WorkflowRunStatus.SUCCEEDED
