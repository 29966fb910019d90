"""Tests of restarts."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.testing.contract.workflows.lab import (
    RETRY_AT_ONCE,
    Fail,
    Hold,
    Ok,
    WorkflowLab,
    is_,
    statuses,
)
from stepsched.workflows import (
    RestartAction,
    When,
    WorkflowRun,
    WorkflowRunStatus,
    input_of,
    output_of,
)


class TestRestart:
    def failed(self, lab: WorkflowLab, **fields: object) -> WorkflowRun:
        """A run of five steps, of which one failed."""
        return lab.play(
            lab.step("a", Ok({"n": 1})),
            lab.step("b", Fail(), Ok({"n": 2}), needs=["a"]),
            lab.step("c", needs=["b"], input={"x": output_of("b", "n")} if lab.has_outputs else {}),
            lab.step("other"),
            lab.step("last", needs=["c", "other"]),
            **fields,
        )

    def test_what_has_succeeded_is_not_run_again(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        failed = self.failed(lab)
        before = len(lab.calls)
        run = lab.settle(flows.restart(failed))
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls[before:] == ["b", "c", "last"]
        assert not lab.has_outputs or lab.inputs("c") == [{"x": 2}]
        assert (run.id, run.restarts) == (failed.id, 1)
        assert run.by_name["a"] == failed.by_name["a"]
        assert run.by_name["b"].attempt == 2

    def test_a_run_can_be_restarted_again_and_again(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(
            lab.step("a"), lab.step("b", Fail(), Fail(), Fail(), Ok(), needs=["a"]),
            lab.step("c", needs=["b"]),
        )  # fmt: skip
        for restarts in (1, 2):
            run = lab.settle(flows.restart(run))
            assert (run.status, run.restarts) == (WorkflowRunStatus.FAILED, restarts)
            assert run.by_name["c"].caused_by == "b"
        run = lab.settle(flows.restart(run))
        assert (run.status, run.restarts) == (WorkflowRunStatus.SUCCEEDED, 3)
        assert lab.calls == ["a", "b", "b", "b", "b", "c"]

    def test_a_restart_gives_a_step_all_its_attempts(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", *[Fail()] * 5, Ok(), retry=RETRY_AT_ONCE))
        run = lab.settle(flows.restart(run))
        assert (run.by_name["a"].status.value, run.by_name["a"].attempt) == ("succeeded", 6)

    def test_the_plan_says_what_the_restart_does(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        failed = self.failed(lab)
        plan = flows.plan_restart(failed)
        assert plan.names(RestartAction.REUSE) == ("a", "other")
        assert plan.names(RestartAction.RUN) == ("b", "c", "last")
        assert all(step.reason for step in plan.steps)
        assert flows.status(failed) == failed  # a plan changes nothing
        assert lab.settle(flows.restart(plan)).status is WorkflowRunStatus.SUCCEEDED

    def test_a_plan_of_before_another_restart_is_refused(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        failed = self.failed(lab)
        plan = flows.plan_restart(failed)
        lab.settle(flows.restart(failed))
        with pytest.raises(ss.ConflictError, match=failed.id):
            flows.restart(plan)

    def test_a_plan_takes_no_further_arguments(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        plan = flows.plan_restart(self.failed(lab))
        with pytest.raises(ValueError, match="plan_restart"):
            flows.restart(plan, skip=["b"])

    def test_from_runs_a_step_and_all_below_again(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(
            lab.step("a"), lab.step("b", needs=["a"]), lab.step("c", needs=["b"]), lab.step("other")
        )
        before = len(lab.calls)
        run = lab.settle(flows.restart(run, from_="b"))
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls[before:] == ["b", "c"]
        assert run.by_name["b"].attempt == 2

    def test_only_runs_just_these_steps(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"), lab.step("b", needs=["a"]), lab.step("c", needs=["b"]))
        before = len(lab.calls)
        run = lab.settle(flows.restart(run, only=["b"]))
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls[before:] == ["b"]

    def test_only_leaves_what_failed_as_it_is(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"), lab.step("bad", Fail()), lab.step("bad2", Fail(), Ok()))
        run = lab.settle(flows.restart(run, only=["bad2"]))
        assert statuses(run) == {"a": "succeeded", "bad": "failed", "bad2": "succeeded"}
        assert run.status is WorkflowRunStatus.FAILED

    def test_a_restart_can_skip_the_step_that_failed(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", needs=["a"]))
        run = lab.settle(flows.restart(run, skip=["a"]))
        assert statuses(run) == {"a": "skipped", "b": "succeeded"}
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls == ["a", "b"]

    def test_a_restart_can_follow_a_changed_definition(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(
            lab.step("a"), lab.step("b", Fail(), needs=["a"]), lab.step("gone", Fail(), needs=["a"])
        )
        flow = lab.flow(
            lab.step("a"), lab.step("b", needs=["a"]), lab.step("new", needs=["a"]),
            lab.step("last", needs=["b", "new"]),
        )  # fmt: skip
        before = len(lab.calls)
        restarted = lab.settle(flows.restart(run, workflow=flow))
        assert restarted.status is WorkflowRunStatus.SUCCEEDED
        assert [step.name for step in restarted.steps] == ["a", "b", "new", "last"]
        assert sorted(lab.calls[before:-1]) == ["b", "new"]
        assert lab.calls[-1] == "last"
        assert restarted.version == run.version + 1

    def test_a_run_that_failed_follows_its_own_definition(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail(), Ok()))
        flows.put(lab.flow(lab.step("other")))
        restarted = lab.settle(flows.restart(run))
        assert statuses(restarted) == {"a": "succeeded"}
        assert restarted.version == run.version

    def test_what_still_runs_is_awaited_and_not_doubled(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("slow", Hold()), lab.step("bad", Fail(), Ok())))
        lab.until(run, lambda present: statuses(present) == {"slow": "running", "bad": "failed"})
        flows.restart(run)
        lab.until(run, is_("bad", "succeeded"))
        lab.release("slow")
        run = lab.settle(run)
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert sorted(lab.calls) == ["bad", "bad", "slow"]

    def test_a_running_step_cannot_be_run_again(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("slow", Hold()), lab.step("next", needs=["slow"])))
        lab.until_running(run, "slow")
        with pytest.raises(ValueError, match="still runs"):
            flows.restart(run, from_=["slow"])
        lab.release("slow")
        assert lab.settle(run).by_name["slow"].attempt == 1

    def test_a_run_that_has_succeeded_needs_to_be_told_what_to_run(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(ss.InvalidTransitionError, match="nothing to restart; use from_= or only="):
            flows.restart(run)

    def test_a_step_that_reports_failures_is_judged_anew(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail(), Ok()), lab.step("report", needs=["a"], when=When.FAILED))
        assert statuses(run) == {"a": "failed", "report": "succeeded"}
        run = lab.settle(flows.restart(run))
        assert statuses(run) == {"a": "succeeded", "report": "unmet"}
        assert lab.calls == ["a", "report", "a"]

    @pytest.mark.parametrize("argument", ["from_", "only", "skip", "mark_succeeded"])
    def test_an_unknown_step_is_refused_with_those_that_are_alike(
        self, lab: WorkflowLab, flows: ss.WorkflowClient, argument: str
    ) -> None:
        run = lab.play(lab.step("extract", Fail()))
        with pytest.raises(ValueError, match="'extract'"):
            flows.restart(run, **{argument: ["extrakt"]})  # type: ignore[arg-type]

    def test_only_refuses_a_step_whose_need_would_not_be_done(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", needs=["a"]))
        with pytest.raises(ValueError, match="'a'"):
            flows.restart(run, only=["b"])

    def test_a_cancelled_run_can_be_restarted(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a"), lab.step("b", Hold(), needs=["a"])))
        lab.until_running(run, "b")
        flows.cancel(run)
        lab.release("b")
        run = lab.settle(run)
        assert run.status is WorkflowRunStatus.CANCELLED
        run = lab.settle(flows.restart(run))
        assert (run.status, run.by_name["b"].attempt) == (WorkflowRunStatus.SUCCEEDED, 2)
        assert lab.calls == ["a", "b", "b"]

    def test_a_step_can_be_marked_as_succeeded(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", needs=["a"]))
        run = lab.settle(flows.restart(run, mark_succeeded=["a"]))
        assert statuses(run) == {"a": "succeeded", "b": "succeeded"}
        assert lab.calls == ["a", "b"]


class TestRestartInputs:
    def test_a_step_can_be_marked_as_succeeded_with_its_output(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", needs=["a"], input={"n": output_of("a", "n")}))
        run = lab.settle(flows.restart(run, mark_succeeded={"a": {"n": 7}}))
        assert statuses(run) == {"a": "succeeded", "b": "succeeded"}
        assert lab.inputs("b") == [{"n": 7}]

    def test_a_restart_can_have_another_input(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        flow = lab.flow(lab.step("a", Fail(), Ok(), input={"day": input_of("day")}))
        run = lab.settle(flows.start(flow, input={"day": "monday"}))
        run = lab.settle(flows.restart(run, input={"day": "sunday"}))
        assert run.input == {"day": "sunday"}
        assert lab.inputs("a") == [{"day": "monday"}, {"day": "sunday"}]
