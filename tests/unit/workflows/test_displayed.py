"""Workflows, runs and plans show themselves: what matters first, nothing that is too wide, no secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.display.results import Displayed
from stepsched.display.table import Table
from stepsched.workflows import (
    RestartAction,
    RestartPlan,
    Step,
    StepPlan,
    StepRun,
    StepStatus,
    Workflow,
    WorkflowRunStatus,
    WorkflowVersion,
)
from stepsched.workflows.displayed import live_text, run_table
from stepsched.workflows.records import LeftOutRecord, TakenOver
from stepsched.workflows.results import WorkflowRuns, WorkflowVersions
from tests.unit.workflows.graphs import FAILED, NIGHTLY, NOW, RUN, START, TARGETS, random_workflow, run_of
from tests.unit.workflows.test_pictures import check_lines

NAME = "a-step-with-a-long-name"
VERSION = WorkflowVersion(name="nightly", version=12, definition=NIGHTLY, stored_at=START)


def planned(steps: Sequence[StepRun], action: RestartAction, reason: str) -> tuple[StepPlan, ...]:
    return tuple(
        StepPlan(name=each.name, action=action, reason=reason, before=each, after=each) for each in steps
    )


PLAN = RestartPlan(
    workflow="nightly",
    run="r",
    revision=0,
    steps=(
        *planned(FAILED.steps[:1], RestartAction.REUSE, "has succeeded"),
        *planned(FAILED.steps[1:], RestartAction.RUN, "failed"),
    ),
    method="redrive",
)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_a_workflow_is_printed_with_targets_and_needs() -> None:
    assert str(NIGHTLY).splitlines() == [
        "nightly, 5 steps",
        "STEP     TARGET                NEEDS",
        "extract  Batch etl:3",
        "clean    command python        extract",
        "report   Lambda report         extract, clean; only if extract: rows[0] > 3",
        "publish  function load_orders  report",
        "alarm    Lambda report         clean, report; when one has failed",
    ]


def test_a_run_is_printed_with_what_each_step_did_and_when_after_the_start() -> None:
    assert str(FAILED).splitlines() == [
        "nightly/20300107T020000Z-k3f9: failed, 2 succeeded, 1 failed, 2 upstream_failed, 21 min",
        "STEP     STATUS           BEGAN     TOOK    WHY",
        "extract  succeeded        + 1 min   10 min",
        "clean    failed           + 15 min  5 min   exit code 137",
        "report   upstream_failed  -                 step 'clean' failed",
        "publish  upstream_failed  -                 step 'clean' failed",
        "alarm    succeeded        + 20 min  1 min",
        "started 2030-01-07 02:00 +00:00 UTC",
    ]


def test_a_restart_is_printed_with_what_it_does_with_each_step() -> None:
    assert str(PLAN).splitlines()[:4] == [
        "restart of nightly/r: reuse 1, run 4; by redrive",
        "STEP     ACTION  NOW              WHY",
        "extract  reuse   succeeded        has succeeded",
        "clean    run     failed           failed",
    ]


def test_text_is_broken_to_the_width_of_a_terminal_and_names_are_never_cut() -> None:
    flow = Workflow("w", steps=[Step(NAME, target=TARGETS[0]), Step("b", target=TARGETS[1], needs=[NAME])])
    steps = [
        StepRun(name=NAME, status=StepStatus.FAILED, error="it broke " * 40, attempt=12),
        StepRun(name="b", status=StepStatus.UPSTREAM_FAILED, needs=(NAME,), reason=f"step {NAME!r} failed"),
    ]
    plan = PLAN.replace(steps=planned(steps, RestartAction.RUN, "x " * 90))
    for value in (flow, run_of(*steps), plan):
        check_lines(value.to_text(width=80))
        assert NAME in value.to_text(width=80)


@pytest.mark.parametrize("count", [5, 60, 61, 500])
def test_of_more_than_60_steps_those_that_matter_come_first(count: int) -> None:
    steps = [StepRun(name=f"s{number}", status=StepStatus.SUCCEEDED) for number in range(count)]
    steps[-1] = steps[-1].replace(status=StepStatus.FAILED)
    steps[-2] = steps[-2].replace(status=StepStatus.RUNNING, started_at=START)
    table = run_table(run_of(*steps), NOW)
    names = [row[0] for row in texts(table)]
    first = [steps[-1].name, steps[-2].name, "s0"] if count > 60 else ["s0", "s1", "s2"]
    assert names[:3] == first
    assert (len(names), table.more) == (min(count, 60), max(count - 60, 0))
    plan = PLAN.replace(steps=planned(steps[:-1], RestartAction.REUSE, "") + PLAN.steps[1:])
    assert [row[1] for row in texts(plan._shown_table())][:2] == (
        ["run", "run"] if count > 57 else ["reuse"] * 2
    )


@pytest.mark.parametrize("lines", [5, 8, 20])
def test_a_live_run_has_no_more_lines_than_the_screen(lines: int) -> None:
    flow = random_workflow(3, 30)
    run = run_of(*(StepRun(name=step.name, status=StepStatus.PENDING) for step in flow.steps))
    shown = live_text(run, NOW, lines).splitlines()
    assert len(shown) == lines
    assert shown[-2] == f"... {30 - (lines - 4)} more"


def test_a_step_shows_its_rules_and_masks_secrets_of_its_input() -> None:
    step = Step(
        "load",
        target=TARGETS[2],
        needs=["extract"],
        input={"password": "hunter2", "day": 3},
        retry=ss.Retry(max_attempts=2),
        timeout=timedelta(hours=2),
        when="done",
    )
    assert texts(step._shown_table()) == [
        ["target", "function load_orders"],
        ["needs", "extract; when all have ended"],
        ["input", '{"password":"***","day":3}'],
        ["retries", "2"],
        ["timeout", "2 h"],
    ]


def test_a_step_of_a_run_shows_all_that_is_known_and_masks_secrets_of_its_output() -> None:
    step = StepRun(
        name="load",
        status=StepStatus.RUNNING,
        attempt=2,
        started_at=NOW - timedelta(seconds=90),
        output='{"token":"hunter2","rows":3}',
        link="https://example.org/x",
    )
    shown = dict(texts(step._shown_table()))
    assert shown["status"] == "running"
    assert shown["attempts"] == "2"
    assert shown["started"] == "2030-01-07 02:58:30 +00:00 UTC"
    assert shown["output"] == '{"token":"***","rows":3}'
    assert shown["link"] == "https://example.org/x"
    assert "error" not in shown


def test_runs_show_why_they_failed_and_how_long_they_take() -> None:
    table = WorkflowRuns([FAILED, RUN, RUN.replace(error="cannot be read")], now=NOW)._shown_table()
    assert texts(table)[0] == [
        "nightly/20300107T020000Z-k3f9",
        "failed",
        "2030-01-07 02:00 +00:00 UTC",
        "21 min",
        "2 succeeded, 1 failed, 2 upstream_failed",
        "clean: exit code 137",
    ]
    assert [row[3] for row in texts(table)] == ["21 min", "1 h", "1 h"]
    assert [row[5] for row in texts(table)] == ["clean: exit code 137", "", "cannot be read"]


def test_of_many_runs_the_latest_are_shown() -> None:
    runs = WorkflowRuns((FAILED.replace(id=f"r-{number}") for number in range(100)), now=NOW)
    assert [row[0] for row in texts(runs._shown_table())][:1] == ["nightly/r-40"]
    assert str(runs).splitlines()[-2:] == ["... 40 more", "the latest are shown"]


def test_the_lists_of_the_client_are_lists_that_show_themselves() -> None:
    flows = ss.WorkflowClient()
    assert str(flows.list()) == "no workflows"
    assert repr(flows.runs()) == "<no runs>"
    flows.put(Workflow("nightly", steps=[Step("load", target=ss.HandlerTarget(print))]))
    run = flows.start("nightly", run_id="first")
    assert flows.runs() == [run]
    assert isinstance(flows.list(), list)
    assert repr(flows.runs()) == "<1 run: nightly/first>"
    assert repr(flows.list()) == "<1 workflow: nightly>"
    assert str(flows.list()).splitlines()[1].startswith("WORKFLOW  VERSION  STEPS  STORED")


def test_a_stored_workflow_says_when_it_was_stored() -> None:
    assert str(VERSION).splitlines()[-1] == "version 12, stored 2030-01-07 02:00 +00:00 UTC"
    assert str(VERSION.replace(definition=NIGHTLY)).splitlines()[1:3] == str(NIGHTLY).splitlines()[1:3]


def test_a_take_over_shows_first_what_was_left_out() -> None:
    taken = TakenOver(workflows=("a",), runs=("a/1",), left_out=(LeftOutRecord(name="b", reason="no steps"),))
    assert str(taken).splitlines() == [
        "1 workflows and 1 runs taken over, 1 records left out",
        "NAME  WHAT      WHY",
        "b     left out  no steps",
        "a     workflow",
        "a/1   run",
    ]


def test_a_notebook_shows_the_graph_above_the_steps() -> None:
    for value in (NIGHTLY, FAILED, VERSION):
        html = value.to_html()
        assert html.index("<svg ") < html.index("<table")
        assert html.endswith("</form>")


def test_of_many_steps_a_notebook_shows_the_table_alone() -> None:
    flow = random_workflow(3, 61)
    run = run_of(*(StepRun(name=step.name, needs=step.needs) for step in flow.steps))
    for value in (flow, run, VERSION.replace(definition=flow)):
        assert "<svg" not in value.to_html()
        assert len(value.to_html()) < 20_000


@pytest.mark.parametrize(
    "value",
    [NIGHTLY, NIGHTLY.steps[2], FAILED, FAILED.steps[1], PLAN, PLAN.steps[0], VERSION],
    ids=lambda value: type(value).__name__,
)
def test_the_representation_is_one_short_line(value: Displayed) -> None:
    assert repr(value).startswith(f"{type(value).__name__}(")
    assert len(repr(value)) <= 120
    assert "\n" not in repr(value)


def test_the_status_of_a_run_has_a_sign_and_a_word() -> None:
    runs = WorkflowRuns([FAILED.replace(status=status) for status in WorkflowRunStatus], now=NOW)
    assert [row[1].tone for row in runs._shown_table().rows] == ["busy", "good", "bad", "warn"]
    assert len(WorkflowVersions([VERSION] * 61)._shown_table().rows) == 60
