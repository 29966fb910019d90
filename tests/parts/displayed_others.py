"""Samples of the classes that show themselves and are no jobs, with texts that try to be markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

import stepsched as ss
from stepsched import asl, deploy, estimates, workflows
from stepsched.testing import TimeTravel, play
from stepsched.workers import QueueMessage, WorkerEvent, WorkerEventKind, WorkSummary
from stepsched.workflows.records import LeftOutRecord, TakenOver
from stepsched.workflows.results import WorkflowRuns, WorkflowVersions

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/jobs/1"


def other_samples(evil: str, hostile: str) -> Iterator[Callable[[], Any]]:
    """Yields what makes each sample.

    Args:
        evil: Markup, which may stand in names.
        hostile: A long text with control characters too.
    """
    values = [
        *_of_workflows(evil, hostile),
        *_of_machines(evil, hostile),
        *_of_stacks(evil),
        *_of_estimates(evil),
        *_of_workers(evil, hostile),
        *_of_tests(evil),
    ]
    yield from (lambda value=value: value for value in values)
    yield lambda: ss.WorkflowClient()
    yield lambda: ss.AsyncWorkflowClient()


def _of_workflows(evil: str, hostile: str) -> Iterator[Any]:
    secret: dict[str, JsonValue] = {"password": "sesame", evil: evil}
    first = ss.Step("first", target=ss.CommandTarget(["echo", evil]), input=secret)
    flow = ss.Workflow(
        "nightly",
        steps=[first, ss.Step("second", target=ss.HandlerTarget(f"a:{'b' * 90}"), needs=[first])],
        title=evil,
        description=evil,
    )
    version = workflows.WorkflowVersion(name=evil, version=12, definition=flow, stored_at=T0)
    failed = workflows.StepRun(
        name="first",
        status=workflows.StepStatus.FAILED,
        attempt=12,
        started_at=T0,
        ended_at=T0 + timedelta(seconds=3),
        error=hostile,
        output='{"password": "sesame"}',
        link=evil,
    )
    waiting = workflows.StepRun(name="second", needs=("first",), retry_at=T0, reason=hostile)
    run = workflows.WorkflowRun(
        workflow=evil,
        id="r-1",
        status=workflows.WorkflowRunStatus.FAILED,
        version=12,
        started_at=T0,
        ended_at=T0 + timedelta(hours=3),
        steps=(failed, waiting),
        input=secret,
        error=hostile,
    )
    action = workflows.RestartAction.RUN
    planned = workflows.StepPlan(name="first", action=action, reason=hostile, before=failed, after=waiting)
    plan = workflows.RestartPlan(workflow=evil, run="r-1", revision=3, steps=(planned,), input=secret)
    left = LeftOutRecord(name=evil, reason=hostile)
    taken = TakenOver(workflows=(evil,), runs=(f"{evil}/1",), left_out=(left,))
    yield from (first, flow, version, failed, run, planned, plan, left, taken)
    yield WorkflowRuns([run, run], now=T0)
    yield WorkflowVersions([version, version], now=T0)


def _of_machines(evil: str, hostile: str) -> Iterator[Any]:
    found = asl.check({"StartAt": hostile, "States": {evil: {"Type": "Pass", "Next": hostile}}})
    yield found
    yield found[0]
    job = ss.Job(name="job", schedule=ss.Rate("PT1H"), target=ss.HttpTarget("https://e.example"))
    machine = asl.StateMachine(comment=evil, states={"A": asl.Pass(comment=evil, end=True)})
    yield machine
    yield ss.render_asl(job.replace(target=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")))
    yield machine.budget()
    yield machine.budget().usual
    yield asl.Prices()


def _of_stacks(evil: str) -> Iterator[Any]:
    change = deploy.ResourceChange(
        action="replace", name=evil, type="AWS::DynamoDB::Table", physical_id=evil, properties=(evil,) * 9
    )
    yield change
    yield deploy.StackPlan(
        stack=evil,
        stack_id=STACK,
        change_set_id="c",
        is_new=False,
        changes=(change, change.model_copy(update={"action": "remove"})),
        tags={evil: evil, "password": "sesame"},
        template_size=1_234,
    )
    yield deploy.DeployedStack(
        name=evil, stack_id=STACK, status="CREATE_COMPLETE", outputs={evil: evil}, is_changed=True
    )
    yield deploy.DestroyedStack(name=evil, stack_id=STACK, paused_jobs=(evil,), kept_tables=(evil,))


def _of_estimates(evil: str) -> Iterator[Any]:
    hourly = ss.Job(name=evil, schedule=ss.Rate("PT1H"), target=ss.CommandTarget(["true"]))
    machine = hourly.replace(
        name="m", target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
    )
    found = estimates.estimate([hourly, machine], T0, T0 + timedelta(days=3), backend=None)
    yield from (found, found.load, found.services[0])
    yield estimates.Charge(
        units=evil,
        count=21_000,
        free_per_month=4_000,
        cost=Decimal("0.42"),
        cost_per_month=None,
        currency="USD",
        region="eu-west-1",
        as_of=date(2030, 1, 7),
    )
    yield estimates.BusyMinute(minute=T0, invocations=12_345, jobs=(evil, "b"))
    yield found.months[0]
    yield estimates.PRICES
    yield estimates.PRICES.table
    yield estimates.QUOTAS


def _of_workers(evil: str, hostile: str) -> Iterator[Any]:
    message = QueueMessage(
        f'{{"password": "sesame"}} {hostile}', "id", evil, {"token": "sesame", evil: evil}, 3, T0, T0
    )
    yield message
    yield WorkerEvent(WorkerEventKind.FAILED, T0, message, hostile, timedelta(seconds=30))
    yield WorkSummary(received=12_345)


def _of_tests(evil: str) -> Iterator[Any]:
    travel = TimeTravel(T0)
    job = ss.Job(
        name=evil,
        schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
        target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        input={"password": "sesame", evil: evil},
    )
    travel.client.create(job)
    travel.advance(timedelta(days=2))
    yield from (travel, travel.clock, travel.recorder, travel.recorder.calls[0])
    yield next(play([job], since=T0, until=T0 + timedelta(days=2)))
