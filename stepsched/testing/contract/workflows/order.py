"""Tests of the order of steps, and of their inputs and outputs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.testing.contract.workflows.lab import (
    Hold,
    Ok,
    WorkflowLab,
    is_,
    statuses,
)
from stepsched.workflows import (
    WorkflowRunStatus,
    input_of,
    output_of,
)


class TestOrder:
    def test_a_step_starts_after_all_that_it_needs(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("d", needs=["b", "c"]), lab.step("c", needs=["a"]), lab.step("b", needs=["a"]),
            lab.step("a"),
        )  # fmt: skip
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls[0] == "a"
        assert sorted(lab.calls[1:3]) == ["b", "c"]
        assert lab.calls[3:] == ["d"]

    def test_steps_that_do_not_need_one_another_run_at_once(self, lab: WorkflowLab) -> None:
        run = lab.client.start(lab.flow(*(lab.step(name, Hold()) for name in "abc")))
        lab.until_running(run, "a", "b", "c")
        for name in "abc":
            lab.release(name)
        assert lab.settle(run).status is WorkflowRunStatus.SUCCEEDED

    def test_nothing_starts_before_a_running_need_has_ended(self, lab: WorkflowLab) -> None:
        run = lab.client.start(lab.flow(lab.step("a", Hold()), lab.step("b", needs=["a"])))
        present = lab.until_running(run, "a")
        assert present.status is WorkflowRunStatus.RUNNING
        assert statuses(present)["b"] in ("pending", "running" if lab.holds_back else "pending")
        assert lab.calls == ["a"]
        lab.release("a")
        assert statuses(lab.settle(run)) == {"a": "succeeded", "b": "succeeded"}

    def test_a_fast_branch_does_not_wait_for_a_slow_one(self, lab: WorkflowLab) -> None:
        run = lab.client.start(
            lab.flow(lab.step("slow", Hold()), lab.step("fast"), lab.step("next", needs=["fast"]))
        )
        present = lab.until(run, is_("next", "succeeded"))
        assert statuses(present)["slow"] == "running"
        lab.release("slow")
        lab.settle(run)

    def test_the_steps_of_a_record_are_in_the_order_of_the_definition(self, lab: WorkflowLab) -> None:
        run = lab.play(lab.step("z", needs=["a"]), lab.step("a"))
        assert [step.name for step in run.steps] == ["z", "a"]

    def test_each_step_tells_its_times_and_its_attempt(self, lab: WorkflowLab) -> None:
        run = lab.play(lab.step("a"), lab.step("b", needs=["a"]))
        assert run.ended_at is not None
        for step in run.steps:
            assert step.attempt == 1
            assert step.started_at is not None
            assert step.ended_at is not None
            assert run.started_at <= step.started_at <= step.ended_at <= run.ended_at
        first, second = run.steps
        assert first.ended_at is not None
        assert second.started_at is not None
        assert first.ended_at <= second.started_at

    def test_a_long_chain_ends(self, lab: WorkflowLab) -> None:
        names = [f"s{number:02}" for number in range(12)]
        steps = [lab.step(names[0])]
        steps += [lab.step(name, needs=[before]) for before, name in pairwise(names)]
        assert lab.play(*reversed(steps)).status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls == names

    def test_a_step_may_need_many(self, lab: WorkflowLab) -> None:
        many = [lab.step(f"s{number:02}") for number in range(12)]
        run = lab.play(*many, lab.step("last", needs=many))
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls[-1] == "last"
        assert len(lab.calls) == 13


class TestInputs:
    def test_an_output_is_the_input_of_another_step(self, lab: WorkflowLab) -> None:
        given = {"rows": output_of("a", "rows"), "all": output_of("a")}
        run = lab.play(lab.step("a", Ok({"rows": [1, 2]})), lab.step("b", needs=["a"], input=given))
        assert run.by_name["a"].result == {"rows": [1, 2]}
        assert lab.inputs("b") == [{"rows": [1, 2], "all": {"rows": [1, 2]}}]

    def test_the_input_of_the_run_reaches_the_steps(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a", input={"day": input_of("day")}), input={"day": "monday"})
        run = lab.settle(flows.start(flow, input={"day": "tuesday"}))
        assert run.input == {"day": "tuesday"}
        assert lab.inputs("a") == [{"day": "tuesday"}]

    def test_without_an_input_the_definition_gives_it(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(lab.step("a", input={"day": input_of("day")}), input={"day": "monday"})
        assert lab.settle(flows.start(flow)).input == {"day": "monday"}
        assert lab.inputs("a") == [{"day": "monday"}]

    def test_the_whole_input_of_the_run_can_be_the_input(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(lab.step("a", input={"given": input_of()}))
        lab.settle(flows.start(flow, input={"list": [1, {"two": None}]}))
        assert lab.inputs("a") == [{"given": {"list": [1, {"two": None}]}}]

    def test_what_an_output_lacks_fails_the_step_that_wants_it(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Ok({"rows": 1})),
            lab.step("b", needs=["a"], input={"x": output_of("a", "columns")}),
            lab.step("c", needs=["b"]),
        )
        assert statuses(run) == {"a": "succeeded", "b": "failed", "c": "upstream_failed"}
        assert "'a'" in (run.by_name["b"].error or "")
        assert run.by_name["c"].caused_by == "b"
        assert lab.calls == ["a"]

    def test_an_output_that_is_too_long_fails_only_the_step_that_wants_it(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Ok("x" * 5_000)),
            lab.step("b", needs=["a"], input={"x": output_of("a")}),
            lab.step("c", needs=["a"]),
        )
        assert statuses(run) == {"a": "succeeded", "b": "failed", "c": "succeeded"}
        assert "4,000" in (run.by_name["b"].error or "")
        assert run.by_name["a"].is_truncated

    @pytest.mark.parametrize(
        "output",
        [None, True, 0, -1.5, "", "text", 'quo"te\\', "é€😀", [], {}, [None, {"a": [1]}], {"$x": "{% 1 %}"}],
        ids=repr,
    )
    def test_an_output_of_any_kind_arrives_unchanged(self, lab: WorkflowLab, output: JsonValue) -> None:
        given = {"x": [output]} if output is None else {"x": [output_of("a")]}
        run = lab.play(lab.step("a", Ok(output)), lab.step("b", needs=["a"], input=given))
        assert run.by_name["a"].result == output
        assert lab.inputs("b") == [{"x": [output]}]

    def test_text_in_data_that_looks_like_a_reference_stays(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        flow = lab.flow(
            lab.step("a", Ok({"$output": "b"})),
            lab.step("b", needs=["a"], input={"in": input_of(), "out": output_of("a")}),
        )
        lab.settle(flows.start(flow, input={"$input": ["x"]}))
        assert lab.inputs("b") == [{"in": {"$input": ["x"]}, "out": {"$output": "b"}}]
