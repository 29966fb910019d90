"""What a restart and a skip do with every step, and why."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows import Condition, RestartAction, RestartPlan, StepRun, StepStatus, When, WorkflowRun
from stepsched.workflows import WorkflowRunStatus as RunStatus
from stepsched.workflows.decisions import advance
from stepsched.workflows.restarts import plan_restart, skip_plan

NOW = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
COMMAND = ss.CommandTarget(["true"])
REUSE, RUN, SKIP = RestartAction.REUSE, RestartAction.RUN, RestartAction.SKIP


def step(name: str, *needs: str, **more: Any) -> ss.Step:
    return ss.Step(name, target=COMMAND, needs=needs, **more)


def flow(*steps: ss.Step, **more: Any) -> ss.Workflow:
    return ss.Workflow("nightly", steps=steps, **more)


def ended(status: RunStatus = RunStatus.FAILED, /, **steps: str | StepRun) -> WorkflowRun:
    """A run with steps by name: their status, or their whole record."""
    runs = [
        StepRun(name=name, status=StepStatus(given), attempt=0 if given in ("pending", "unmet") else 1)
        if isinstance(given, str)
        else given
        for name, given in steps.items()
    ]
    return WorkflowRun(
        workflow="nightly", id="r1", status=status, version=1, started_at=NOW, steps=tuple(runs), revision=4
    )


def actions(plan: RestartPlan) -> dict[str, RestartAction]:
    return {each.name: each.action for each in plan.steps}


def after(plan: RestartPlan) -> dict[str, str]:
    return {each.name: str(each.after.status) for each in plan.steps}


def why(plan: RestartPlan, name: str) -> str:
    return next(each.reason for each in plan.steps if each.name == name)


DIAMOND = flow(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
FAILED_B = ended(
    a="succeeded",
    b=StepRun(name="b", status=StepStatus.FAILED, attempt=3, failures=3, error="exit 1", ended_at=NOW),
    c="succeeded",
    d=StepRun(name="d", status=StepStatus.UPSTREAM_FAILED, caused_by="b"),
)


def test_a_restart_runs_what_has_not_succeeded_and_says_why() -> None:
    plan = plan_restart(DIAMOND, FAILED_B)
    assert actions(plan) == {"a": REUSE, "b": RUN, "c": REUSE, "d": RUN}
    assert [each.reason for each in plan.steps] == [
        "has succeeded",
        "failed",
        "has succeeded",
        "did not run because of 'b'",
    ]
    assert plan.names(RUN) == ("b", "d")
    assert [each.name for each in plan.changes] == ["b", "d"]
    assert (plan.workflow, plan.run, plan.revision) == ("nightly", "r1", 4)


def test_attempts_are_counted_on_and_failures_begin_anew() -> None:
    (changed, _) = plan_restart(DIAMOND, FAILED_B).changes
    assert changed.before == FAILED_B.by_name["b"]
    assert changed.after == StepRun(name="b", attempt=3)


def test_running_steps_are_awaited_and_skipped_ones_stay_skipped() -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="running", c="skipped", d="pending")
    plan = plan_restart(DIAMOND, run)
    assert actions(plan) == {"a": REUSE, "b": REUSE, "c": SKIP, "d": RUN}
    assert why(plan, "b") == "still runs, and is awaited"
    assert plan.changes == ()


def test_a_cancelled_run_goes_on_where_it_was() -> None:
    plan = plan_restart(
        DIAMOND, ended(RunStatus.CANCELLED, a="succeeded", b="cancelled", c="cancelled", d="cancelled")
    )
    assert plan.names(RUN) == ("b", "c", "d")
    assert why(plan, "b") == "was cancelled"


def test_from_runs_the_step_and_all_below_it_again() -> None:
    run = ended(RunStatus.SUCCEEDED, a="succeeded", b="succeeded", c="skipped", d="succeeded")
    plan = plan_restart(DIAMOND, run, from_=["b"])
    assert actions(plan) == {"a": REUSE, "b": RUN, "c": SKIP, "d": RUN}
    assert why(plan, "b") == "named by from_="
    assert why(plan, "d") == "needs 'b', which runs again"
    assert actions(plan_restart(DIAMOND, run, from_="a")) == dict.fromkeys("abcd", RUN)


def test_from_leaves_out_what_skip_names() -> None:
    run = ended(RunStatus.FAILED, a="succeeded", b="succeeded", c="failed", d="upstream_failed")
    plan = plan_restart(DIAMOND, run, from_="a", skip=["b", "c"])
    assert after(plan) == {"a": "pending", "b": "succeeded", "c": "skipped", "d": "pending"}


def test_only_runs_these_steps_and_keeps_all_other_records() -> None:
    run = ended(a="succeeded", b="failed", c="failed", d="upstream_failed")
    plan = plan_restart(DIAMOND, run, only=["b"])
    assert after(plan) == {"a": "succeeded", "b": "pending", "c": "failed", "d": "upstream_failed"}
    assert why(plan, "c") == "not in only=; stays failed"
    assert plan.names(SKIP) == ("c", "d")
    plan = plan_restart(DIAMOND, run, only=["b", "d"], skip="c")
    assert after(plan) == {"a": "succeeded", "b": "pending", "c": "skipped", "d": "pending"}


def test_only_does_not_run_a_step_that_is_new_and_does_not_take_it_for_done() -> None:
    larger = flow(*DIAMOND.steps, step("e", "d"))
    plan = plan_restart(larger, FAILED_B, only="b")
    assert after(plan)["e"] == "upstream_failed"
    steps = {each.name: each.after for each in plan.steps}
    assert advance(larger, steps, NOW).starts == ("b",)


def test_only_of_an_ended_run_does_not_let_steps_run_that_were_never_submitted() -> None:
    run = ended(a="succeeded", b="failed", c="pending", d="pending")  # as old records are
    plan = plan_restart(DIAMOND, run, only="b")
    assert after(plan) == {"a": "succeeded", "b": "pending", "c": "upstream_failed", "d": "upstream_failed"}
    assert why(plan, "c") == "not in only="


def test_only_is_refused_where_a_kept_failure_stops_the_run_again() -> None:
    stopping = flow(step("a"), step("b"), step("c", "a", when="done"), on_failure="stop")
    run = ended(a="failed", b="upstream_failed", c="failed")
    with pytest.raises(ValueError, match="got 'b': the run stops: step 'a' failed; use from_, or name"):
        plan_restart(stopping, run, only="b")
    assert plan_restart(stopping, run, only=["b"], skip=["a", "c"]).names(RUN) == ("b",)
    assert plan_restart(stopping, run, only="c").names(RUN) == ("c",)


def test_only_of_a_run_that_goes_on_leaves_its_pending_steps_alone() -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="failed", c="pending", d="pending")
    plan = plan_restart(DIAMOND, run, only="b")
    assert actions(plan) == {"a": REUSE, "b": RUN, "c": RUN, "d": RUN}


def test_marked_steps_count_as_succeeded_with_the_given_output() -> None:
    plan = plan_restart(DIAMOND, FAILED_B, mark_succeeded={"b": {"rows": 3}}, now=NOW)
    b = next(each for each in plan.steps if each.name == "b")
    assert (b.action, b.reason) == (REUSE, "marked as succeeded by mark_succeeded=")
    assert (b.after.status, b.after.result, b.after.ended_at) == (StepStatus.SUCCEEDED, {"rows": 3}, NOW)
    assert b.after.error == "exit 1"  # what is known of the last attempt stays
    assert plan.names(RUN) == ("d",)
    assert plan_restart(DIAMOND, FAILED_B, mark_succeeded=["b"]).steps[1].after.output is None


def test_a_running_step_can_be_skipped_or_marked() -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="running", c="running", d="pending")
    plan = plan_restart(DIAMOND, run, skip="b", mark_succeeded="c")
    assert after(plan) == {"a": "succeeded", "b": "skipped", "c": "succeeded", "d": "pending"}


def test_naming_a_step_that_is_done_changes_nothing() -> None:
    plan = plan_restart(DIAMOND, FAILED_B, skip=["a"], mark_succeeded=["c"])
    assert [each.name for each in plan.changes] == ["b", "d"]
    skipped = ended(a="succeeded", b="skipped", c="succeeded", d="upstream_failed")
    assert [each.name for each in plan_restart(DIAMOND, skipped, skip="b").changes] == ["d"]


def test_the_input_is_kept_or_replaced() -> None:
    run = FAILED_B.model_copy(update={"input": {"date": "2030-01-07"}})
    assert plan_restart(DIAMOND, run).input == {"date": "2030-01-07"}
    assert plan_restart(DIAMOND, run, input={}).input == {}


def test_a_changed_definition_runs_new_steps_and_drops_old_ones() -> None:
    newer = flow(step("a"), step("c", "a", input={"limit": 3}), step("d", "c"), step("e", "d"))
    plan = plan_restart(newer, FAILED_B, former=DIAMOND)
    assert actions(plan) == {"a": REUSE, "c": REUSE, "d": RUN, "e": RUN}
    assert why(plan, "a") == "has succeeded"
    assert why(plan, "c") == "has succeeded; its definition has changed since: from_= runs it again"
    assert why(plan, "e") == "is new in the definition"


CLEANED = flow(
    step("load"),
    step("clean", "load", when=When.DONE),
    step("tell", "clean"),
    step("report", "load", when=When.FAILED),
    step("other"),
)


def test_a_step_that_follows_an_outcome_runs_again_with_what_needs_it() -> None:
    run = ended(load="failed", clean="succeeded", tell="succeeded", report="succeeded", other="succeeded")
    plan = plan_restart(CLEANED, run)
    assert plan.names(RUN) == ("load", "clean", "tell", "report")
    assert why(plan, "clean") == "follows the outcome of 'load', which runs again"
    assert why(plan, "tell") == "needs 'clean', which runs again"


def test_what_needs_it_by_a_failed_step_runs_again_too() -> None:
    line = flow(step("load"), step("clean", "load", when="done"), step("ship", "clean"), step("bill", "ship"))
    run = ended(load="failed", clean="succeeded", ship="failed", bill="succeeded")  # an operator marked it
    assert plan_restart(line, run).names(RUN) == ("load", "clean", "ship", "bill")
    run = ended(load="succeeded", clean="succeeded", ship="failed", bill="succeeded")
    assert plan_restart(line, run).names(RUN) == ("ship",)


def test_a_report_of_failures_is_left_out_if_there_are_none_this_time() -> None:
    run = ended(load="failed", clean="succeeded", tell="succeeded", report="succeeded", other="succeeded")
    steps = {each.name: each.after for each in plan_restart(CLEANED, run, mark_succeeded="load").steps}
    assert steps["report"].status is StepStatus.SUCCEEDED  # nothing that it needs runs again
    steps = {each.name: each.after for each in plan_restart(CLEANED, run).steps}
    steps["load"] = StepRun(name="load", status=StepStatus.SUCCEEDED)
    left = advance(CLEANED, steps, NOW).left_out
    assert [(each.name, each.status) for each in left] == [("report", StepStatus.UNMET)]


def test_a_step_that_follows_an_outcome_is_reused_if_nothing_that_it_needs_runs_again() -> None:
    run = ended(load="succeeded", clean="succeeded", tell="succeeded", report="unmet", other="failed")
    plan = plan_restart(CLEANED, run)
    assert plan.names(RUN) == ("other",)
    assert actions(plan)["report"] is SKIP
    assert why(plan, "report") == "was left out by a condition, and would be again"


def test_a_condition_is_checked_again_only_where_its_answer_can_change() -> None:
    gated = flow(step("a"), step("b", "a", when=Condition(step="a", value=3)), step("c", "b"))
    one = StepRun(name="a", status=StepStatus.SUCCEEDED, attempt=1, output="1")
    run = ended(RunStatus.SUCCEEDED, a=one, b="unmet", c="unmet")
    assert plan_restart(gated, run).names(RUN) == ()
    again = plan_restart(gated, run, mark_succeeded={"a": 3})
    assert again.names(RUN) == ("b", "c")
    assert why(again, "b") == "was left out by a condition, which is checked again"
    assert plan_restart(gated, run, skip="b").names(RUN) == ("c",)
    assert plan_restart(gated, run, from_="a").names(RUN) == ("a", "b", "c")
    lower = flow(step("a"), step("b", "a", when=Condition(step="a", value=1)), step("c", "b"))
    assert plan_restart(lower, run).names(RUN) == ("b", "c")


REFUSALS = [
    pytest.param(
        {"from_": "lod"}, "expected a step of workflow 'nightly' for from_, got 'lod'", id="unknown"
    ),
    pytest.param({"skip": ["bb"]}, "for skip, got 'bb'; use 'b'", id="close name"),
    pytest.param({"skip": ["b"], "only": "b"}, "expected step 'b' once, got it in only and skip", id="twice"),
    pytest.param({"from_": "a", "only": "b"}, "expected from_ or only, got both", id="from and only"),
    pytest.param({"only": "d"}, "got 'd': its need 'b' is failed", id="only without its need"),
    pytest.param({"mark_succeeded": {"b": "x" * 4_000}}, "expected less than 4,000 characters", id="output"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSALS)
def test_what_cannot_be_done_is_refused_by_name(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_restart(DIAMOND, FAILED_B, **asked)


@pytest.mark.parametrize("asked", [{"from_": "a"}, {"from_": "b"}, {"only": "b"}])
def test_a_running_step_is_not_started_again(asked: dict[str, Any]) -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="running", c="pending", d="pending")
    with pytest.raises(ValueError, match=r"got 'b'; it still runs: wait"):
        plan_restart(DIAMOND, run, **asked)


def test_a_running_step_is_not_forgotten_by_a_new_definition() -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="running", c="pending", d="pending")
    with pytest.raises(ValueError, match="expected step 'b' in the definition, because it still runs"):
        plan_restart(flow(step("a")), run)


def test_a_run_of_another_workflow_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a run of workflow 'weekly', got 'nightly/r1'"):
        plan_restart(ss.Workflow("weekly", steps=[step("a")]), FAILED_B)


def test_only_allows_a_step_that_waits_for_any_outcome() -> None:
    run = ended(load="failed", clean="failed", tell="upstream_failed", report="failed", other="succeeded")
    assert plan_restart(CLEANED, run, only=["clean", "report"]).names(RUN) == ("clean", "report")
    run = ended(load="succeeded", clean="failed", tell="upstream_failed", report="unmet", other="succeeded")
    with pytest.raises(ValueError, match="got 'report': no step that it needs has failed"):
        plan_restart(CLEANED, run, only="report")


# skip


def test_a_skipped_step_of_a_live_run_frees_what_was_left_out_because_of_it() -> None:
    line = flow(step("a"), step("b", "a"), step("c", "b"), step("z"))
    run = ended(
        RunStatus.RUNNING,
        a="failed",
        b=StepRun(name="b", status=StepStatus.UPSTREAM_FAILED, caused_by="a"),
        c=StepRun(name="c", status=StepStatus.UPSTREAM_FAILED, caused_by="a"),
        z="running",
    )
    plan = skip_plan(line, run, "a", "broken source", now=NOW)
    assert after(plan) == {"a": "skipped", "b": "pending", "c": "pending", "z": "running"}
    assert plan.steps[0].after.reason == "broken source"
    assert why(plan, "b") == "is free again: 'a' counts as done"
    assert actions(plan) == {"a": SKIP, "b": RUN, "c": RUN, "z": REUSE}


def test_a_skipped_step_of_an_ended_run_changes_alone() -> None:
    plan = skip_plan(DIAMOND, FAILED_B, "b")
    assert [each.name for each in plan.changes] == ["b"]
    assert actions(plan) == {"a": REUSE, "b": SKIP, "c": REUSE, "d": SKIP}


def test_what_has_another_cause_too_gets_that_cause() -> None:
    run = ended(
        RunStatus.RUNNING,
        a="running",
        b="failed",
        c="failed",
        d=StepRun(name="d", status=StepStatus.UPSTREAM_FAILED, caused_by="b"),
    )
    plan = skip_plan(flow(step("a"), step("b"), step("c"), step("d", "b", "c")), run, "b")
    d = plan.steps[3].after
    assert (d.status, d.caused_by, d.reason) == (StepStatus.UPSTREAM_FAILED, "c", "step 'c' failed")


def test_a_skipped_step_lets_a_stopped_run_go_on() -> None:
    stopping = flow(step("a"), step("b"), step("c", "b"), on_failure="stop")
    run = ended(
        RunStatus.RUNNING,
        a="failed",
        b="running",
        c=StepRun(name="c", status=StepStatus.UPSTREAM_FAILED, caused_by="a"),
    )
    assert after(skip_plan(stopping, run, "a")) == {"a": "skipped", "b": "running", "c": "pending"}


def test_a_skip_does_not_free_what_only_left_out() -> None:
    line = flow(step("a"), step("b", "a"))
    run = ended(RunStatus.RUNNING, a="running", b=StepRun(name="b", status=StepStatus.UPSTREAM_FAILED))
    assert after(skip_plan(line, run, "a")) == {"a": "skipped", "b": "upstream_failed"}


def test_a_skipped_step_without_its_condition_frees_what_was_unmet() -> None:
    gated = flow(step("a"), step("b", "a", when=Condition(step="a", value=3)), step("c", "b"), step("z"))
    run = ended(
        RunStatus.RUNNING,
        a=StepRun(name="a", status=StepStatus.SUCCEEDED, output="1"),
        b=StepRun(name="b", status=StepStatus.UNMET, caused_by="b"),
        c=StepRun(name="c", status=StepStatus.UNMET, caused_by="b"),
        z="running",
    )
    assert after(skip_plan(gated, run, "b"))["c"] == "pending"


def test_a_second_skip_changes_nothing_and_one_of_a_succeeded_step_is_refused() -> None:
    run = ended(RunStatus.RUNNING, a="succeeded", b="skipped", c="running", d="pending")
    assert skip_plan(DIAMOND, run, "b").changes == ()
    with pytest.raises(ValueError, match="expected a step that has not succeeded, got 'a'"):
        skip_plan(DIAMOND, run, "a")
    with pytest.raises(ValueError, match="for step, got 'x'; use one of 'a', 'b', 'c', 'd'"):
        skip_plan(DIAMOND, run, "x")
