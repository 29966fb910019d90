"""Tests of skips and cancels."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.testing.contract.workflows.lab import (
    Fail,
    Hold,
    Ok,
    WorkflowLab,
    is_,
    statuses,
)
from stepsched.workflows import (
    StepStatus,
    When,
    WorkflowRunStatus,
)


class TestSkip:
    def test_a_pending_step_counts_as_done(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(
            lab.flow(lab.step("a", Hold()), lab.step("b", needs=["a"]), lab.step("c", needs=["b"]))
        )
        lab.until_running(run, "a")
        present = flows.skip(run, "b", reason="the file is there")
        assert present.by_name["b"].status is StepStatus.SKIPPED
        assert "the file is there" in (present.by_name["b"].reason or "")
        lab.release("a")
        run = lab.settle(run)
        assert statuses(run) == {"a": "succeeded", "b": "skipped", "c": "succeeded"}
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls == ["a", "c"]

    def test_a_running_step_is_skipped_and_its_outcome_does_not_count(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold(Fail())), lab.step("b", needs=["a"])))
        lab.until_running(run, "a")
        flows.skip(run, "a")
        lab.release("a")
        run = lab.settle(run)
        assert statuses(run) == {"a": "skipped", "b": "succeeded"}
        assert run.status is WorkflowRunStatus.SUCCEEDED

    def test_a_skip_frees_what_did_not_run_because_of_a_failure(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = flows.start(
            lab.flow(lab.step("slow", Hold()), lab.step("bad", Fail()), lab.step("next", needs=["bad"]))
        )
        lab.until(run, is_("next", "upstream_failed"))
        flows.skip(run, "bad")
        lab.until(run, is_("next", "succeeded"))
        lab.release("slow")
        assert lab.settle(run).status is WorkflowRunStatus.SUCCEEDED

    def test_a_skip_in_an_ended_run_waits_for_a_restart(
        self, lab: WorkflowLab, flows: ss.WorkflowClient
    ) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", needs=["a"]))
        run = flows.skip(run, "a")
        assert (run.status, run.by_name["a"].status) == (WorkflowRunStatus.FAILED, StepStatus.SKIPPED)
        run = lab.settle(flows.restart(run))
        assert statuses(run) == {"a": "skipped", "b": "succeeded"}
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls == ["a", "b"]

    def test_skipping_twice_is_not_an_error(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a", Fail()))
        first = flows.skip(run, "a")
        assert flows.skip(run, "a").by_name == first.by_name

    def test_an_unknown_step_is_refused(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("extract", Fail()))
        with pytest.raises(ValueError, match="'extract'"):
            flows.skip(run, "extrakt")

    def test_a_step_that_has_succeeded_is_refused(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"))
        with pytest.raises(ValueError, match="'a'"):
            flows.skip(run, "a")

    def test_a_skip_survives_a_restart(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("b", Fail(), Ok(), needs=["a"]))
        run = lab.settle(flows.restart(run, skip="a"))
        assert statuses(run) == {"a": "skipped", "b": "failed"}
        run = lab.settle(flows.restart(run))
        assert statuses(run) == {"a": "skipped", "b": "succeeded"}


class TestCancel:
    def test_nothing_starts_any_more(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(
            lab.flow(lab.step("a"), lab.step("b", Hold(), needs=["a"]), lab.step("c", needs=["b"]))
        )
        lab.until_running(run, "b")
        flows.cancel(run)
        lab.release("b")
        run = lab.settle(run)
        assert run.status is WorkflowRunStatus.CANCELLED
        assert statuses(run) == {"a": "succeeded", "b": "cancelled", "c": "cancelled"}
        assert run.ended_at is not None
        assert lab.calls == ["a", "b"]

    def test_a_run_that_has_ended_stays_as_it_is(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = lab.play(lab.step("a"))
        assert flows.cancel(run) == run == flows.status(run)

    def test_cancelling_twice_is_not_an_error(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold())))
        lab.until_running(run, "a")
        flows.cancel(run)
        flows.cancel(run)
        lab.release("a")
        assert lab.settle(run).status is WorkflowRunStatus.CANCELLED

    def test_cleaning_steps_do_not_start_either(self, lab: WorkflowLab, flows: ss.WorkflowClient) -> None:
        run = flows.start(lab.flow(lab.step("a", Hold()), lab.step("clean", needs=["a"], when=When.DONE)))
        lab.until_running(run, "a")
        flows.cancel(run)
        lab.release("a")
        assert statuses(lab.settle(run)) == {"a": "cancelled", "clean": "cancelled"}
        assert lab.calls == ["a"]
