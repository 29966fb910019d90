"""Tests of conditions, failures, retries and timeouts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import JsonValue

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
    Condition,
    FailureKind,
    When,
    WorkflowRunStatus,
)


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "output", "starts"),
        [
            (Condition(step="a", path=("n",), operator=">", value=3), {"n": 4}, 1),
            (Condition(step="a", path=("n",), operator=">", value=3), {"n": 3}, 0),
            (Condition(step="a", path=("n",), operator="<=", value=3), {"n": "3"}, 0),
            (Condition(step="a", path=("n",), operator="==", value=1), {"n": True}, 0),
            (Condition(step="a", path=("n",), operator="!=", value="x"), {"n": "y"}, 1),
            (Condition(step="a", path=("n",), operator="!=", value="x"), {}, 0),
            (Condition(step="a"), True, 1),
            (Condition(step="a", path=("list", 1), value="b"), {"list": ["a", "b"]}, 1),
        ],
    )
    def test_a_step_runs_if_its_condition_is_met(
        self, lab: WorkflowLab, condition: Condition, output: JsonValue, starts: int
    ) -> None:
        run = lab.play(lab.step("a", Ok(output)), lab.step("b", needs=["a"], when=condition))
        assert statuses(run)["b"] == ("succeeded" if starts else "unmet")
        assert lab.calls == (["a", "b"] if starts else ["a"])
        assert run.status is WorkflowRunStatus.SUCCEEDED

    def test_what_needs_a_step_that_was_left_out_is_left_out(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Ok(1)),
            lab.step("b", needs=["a"], when=Condition(step="a", value=2)),
            lab.step("c", needs=["b"]),
            lab.step("d", needs=["c", "a"]),
        )
        assert statuses(run) == {"a": "succeeded", "b": "unmet", "c": "unmet", "d": "unmet"}
        assert run.by_name["d"].caused_by == "b"
        assert run.by_name["b"].reason

    def test_a_condition_on_an_output_that_is_too_long_fails_the_run(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Ok({"ok": True, "rows": "x" * 5_000})),
            lab.step("b", needs=["a"], when=Condition(step="a", path=("ok",), value=True)),
            lab.step("c", needs=["b"]),
        )
        assert statuses(run) == {"a": "succeeded", "b": "upstream_failed", "c": "upstream_failed"}
        assert "4,000" in (run.by_name["b"].reason or "")
        assert run.by_name["c"].caused_by == "b"
        assert run.status is WorkflowRunStatus.FAILED

    def test_two_branches_of_a_decision(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Ok({"ok": False})),
            lab.step("yes", needs=["a"], when=Condition(step="a", path=("ok",), value=True)),
            lab.step("no", needs=["a"], when=Condition(step="a", path=("ok",), value=False)),
            lab.step("join", needs=["yes", "no"], when=When.DONE),
        )
        assert statuses(run) == {"a": "succeeded", "yes": "unmet", "no": "succeeded", "join": "succeeded"}

    def test_a_failed_need_counts_before_an_unmet_one(self, lab: WorkflowLab) -> None:
        run = lab.client.start(
            lab.flow(
                lab.step("a", Hold(Ok(1))),
                lab.step("bad", Fail()),
                lab.step("b", needs=["a"], when=Condition(step="a", value=2)),
                lab.step("c", needs=["b", "bad"]),
            )
        )
        lab.until(run, is_("bad", "failed"))
        lab.release("a")
        run = lab.settle(run)
        assert (statuses(run)["b"], statuses(run)["c"]) == ("unmet", "upstream_failed")
        assert run.by_name["c"].caused_by == "bad"


class TestWhen:
    def test_done_runs_after_a_success(self, lab: WorkflowLab) -> None:
        lab.play(lab.step("a"), lab.step("clean", needs=["a"], when=When.DONE))
        assert lab.calls == ["a", "clean"]

    def test_done_runs_after_a_failure(self, lab: WorkflowLab) -> None:
        run = lab.play(lab.step("a", Fail()), lab.step("clean", needs=["a"], when=When.DONE))
        assert statuses(run) == {"a": "failed", "clean": "succeeded"}
        assert run.status is WorkflowRunStatus.FAILED

    def test_done_waits_for_all(self, lab: WorkflowLab) -> None:
        run = lab.client.start(
            lab.flow(
                lab.step("a", Fail()),
                lab.step("b", Hold()),
                lab.step("clean", needs=["a", "b"], when=When.DONE),
            )
        )
        present = lab.until(run, is_("a", "failed"))
        assert statuses(present)["clean"] == "pending"
        lab.release("b")
        assert statuses(lab.settle(run))["clean"] == "succeeded"

    def test_failed_is_left_out_after_a_success(self, lab: WorkflowLab) -> None:
        run = lab.play(lab.step("a"), lab.step("mend", needs=["a"], when=When.FAILED))
        assert statuses(run)["mend"] == "unmet"
        assert run.status is WorkflowRunStatus.SUCCEEDED
        assert lab.calls == ["a"]

    def test_failed_runs_after_a_failure(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Fail()), lab.step("b"), lab.step("mend", needs=["a", "b"], when=When.FAILED)
        )
        assert statuses(run) == {"a": "failed", "b": "succeeded", "mend": "succeeded"}
        assert run.status is WorkflowRunStatus.FAILED

    def test_failed_runs_after_what_did_not_run(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Fail()),
            lab.step("b", needs=["a"]),
            lab.step("report", needs=["b"], when=When.FAILED),
        )
        assert statuses(run) == {"a": "failed", "b": "upstream_failed", "report": "succeeded"}


class TestFailures:
    def test_what_needs_a_failed_step_does_not_run_and_says_why(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Fail("the disk is full")),
            lab.step("b", needs=["a"]),
            lab.step("c", needs=["b"]),
            lab.step("other"),
        )
        assert run.status is WorkflowRunStatus.FAILED
        assert statuses(run) == {
            "a": "failed",
            "b": "upstream_failed",
            "c": "upstream_failed",
            "other": "succeeded",
        }
        assert {run.by_name[name].caused_by for name in "bc"} == {"a"}
        assert "'a'" in (run.by_name["c"].reason or "")
        assert sorted(lab.calls) == ["a", "other"]

    def test_the_error_and_its_kind_are_kept(self, lab: WorkflowLab) -> None:
        (step,) = lab.play(lab.step("a", Fail("the disk is full"))).steps
        assert step.error
        assert not lab.has_errors or "the disk is full" in step.error
        assert (step.failure, step.failures, step.losses) == (FailureKind.JOB, 1, 0)

    def test_dependents_do_not_wait_for_the_rest_of_the_run(self, lab: WorkflowLab) -> None:
        run = lab.client.start(
            lab.flow(lab.step("slow", Hold()), lab.step("bad", Fail()), lab.step("next", needs=["bad"]))
        )
        present = lab.until(run, is_("next", "upstream_failed"))
        assert present.status is WorkflowRunStatus.RUNNING
        assert present.by_name["next"].caused_by == "bad"
        lab.release("slow")
        lab.settle(run)

    def test_continue_finishes_what_can_be_finished(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("bad", Fail()),
            lab.step("a"),
            lab.step("b", needs=["a"]),
            lab.step("c", needs=["b"]),
            on_failure="continue",
        )
        assert statuses(run) == {"bad": "failed", "a": "succeeded", "b": "succeeded", "c": "succeeded"}

    def test_stop_starts_no_further_step(self, lab: WorkflowLab) -> None:
        run = lab.client.start(
            lab.flow(
                lab.step("bad", Fail()),
                lab.step("a", Hold()),
                lab.step("b", needs=["a"]),
                on_failure="stop",
            )
        )
        present = lab.until(run, is_("b", "upstream_failed"))
        assert present.by_name["b"].caused_by == "bad"
        assert statuses(present)["a"] == "running"  # it is awaited
        lab.release("a")
        run = lab.settle(run)
        assert (run.status, statuses(run)["a"]) == (WorkflowRunStatus.FAILED, "succeeded")
        assert sorted(lab.calls) == ["a", "bad"]

    def test_stop_lets_cleaning_steps_run(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("bad", Fail()),
            lab.step("clean", needs=["bad"], when=When.DONE),
            lab.step("report", needs=["bad"], when=When.FAILED),
            on_failure="stop",
        )
        assert statuses(run) == {"bad": "failed", "clean": "succeeded", "report": "succeeded"}

    def test_a_step_is_retried(self, lab: WorkflowLab) -> None:
        run = lab.play(
            lab.step("a", Fail("one"), Fail("two"), Ok("third time lucky"), retry=RETRY_AT_ONCE),
            lab.step("b", needs=["a"]),
        )
        assert statuses(run) == {"a": "succeeded", "b": "succeeded"}
        assert run.by_name["a"].attempt == 3
        assert lab.calls == ["a", "a", "a", "b"]

    def test_a_step_fails_for_good_when_no_attempt_is_left(self, lab: WorkflowLab) -> None:
        run = lab.play(lab.step("a", Fail("again"), retry=RETRY_AT_ONCE))
        assert statuses(run) == {"a": "failed"}
        assert (run.by_name["a"].attempt, run.by_name["a"].failures) == (3, 3)
        assert run.by_name["a"].error

    def test_a_step_waits_before_it_is_retried(self, lab: WorkflowLab) -> None:
        retry = ss.Retry(max_attempts=1, interval=timedelta(seconds=1))
        run = lab.play(lab.step("a", Fail(), Ok(), retry=retry))
        (step,) = run.steps
        assert (step.status.value, step.attempt) == ("succeeded", 2)
        assert step.started_at is not None
        assert step.started_at - run.started_at >= timedelta(seconds=1)

    def test_a_step_that_takes_too_long_is_ended_and_fails(self, lab: WorkflowLab) -> None:
        slow = ss.Step("slow", target=lab.endless(), timeout=lab.shortest_timeout)
        run = lab.play(slow, lab.step("next", needs=["slow"]))
        assert statuses(run) == {"slow": "failed", "next": "upstream_failed"}
        assert run.by_name["slow"].failure is FailureKind.JOB
