"""Workflows and runs to draw: chosen ones, and random ones with hostile texts."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import stepsched as ss
from stepsched.workflows import (
    Condition,
    FailureKind,
    Step,
    StepRun,
    StepStatus,
    When,
    Workflow,
    WorkflowRun,
    WorkflowRunStatus,
)
from tests.unit.asl.draw.definitions import HOSTILE

START = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
NOW = START + timedelta(hours=1)
TARGETS: list[ss.Target] = [
    ss.BatchTarget("arn:aws:batch:eu-west-1:123456789012:job-definition/etl:3", job_queue="low"),
    ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report"),
    ss.HandlerTarget("app.jobs:load_orders"),
    ss.CommandTarget(["/usr/bin/python", "clean.py"]),
]


def minutes(count: float) -> datetime:
    """The instant so many minutes after the start."""
    return START + timedelta(minutes=count)


NIGHTLY = Workflow(
    "nightly",
    steps=[
        Step("extract", target=TARGETS[0], retry=ss.Retry(max_attempts=2), timeout=timedelta(hours=2)),
        Step("clean", target=TARGETS[3], needs=["extract"]),
        Step(
            "report",
            target=TARGETS[1],
            needs=["extract", "clean"],
            when=Condition(step="extract", path=("rows", 0), operator=">", value=3),
        ),
        Step("publish", target=TARGETS[2], needs=["report"]),
        Step("alarm", target=TARGETS[1], needs=["clean", "report"], when=When.FAILED),
    ],
)


def step_run(name: str, status: StepStatus = StepStatus.PENDING, **more: Any) -> StepRun:
    """The record of a step of :data:`NIGHTLY`."""
    return StepRun(name=name, status=status, needs=NIGHTLY.by_name[name].needs, **more)


def run_of(
    *steps: StepRun, status: WorkflowRunStatus = WorkflowRunStatus.RUNNING, **more: Any
) -> WorkflowRun:
    """A run of :data:`NIGHTLY`."""
    given = {"workflow": "nightly", "id": "20300107T020000Z-k3f9", "version": 1, "started_at": START, **more}
    return WorkflowRun(status=status, steps=steps, **given)


RUN = run_of(
    step_run("extract", StepStatus.SUCCEEDED, attempt=2, started_at=minutes(1), ended_at=minutes(11)),
    step_run("clean", StepStatus.RUNNING, attempt=1, started_at=minutes(15), detail="RUNNABLE"),
    step_run("report"),
    step_run("publish"),
    step_run("alarm"),
)
FAILED = run_of(
    step_run("extract", StepStatus.SUCCEEDED, attempt=1, started_at=minutes(1), ended_at=minutes(11)),
    step_run(
        "clean",
        StepStatus.FAILED,
        attempt=1,
        started_at=minutes(15),
        ended_at=minutes(20),
        error="exit code 137",
        failure=FailureKind.JOB,
    ),
    step_run(
        "report",
        StepStatus.UPSTREAM_FAILED,
        caused_by="clean",
        reason="step 'clean' failed",
        ended_at=minutes(20),
    ),
    step_run("publish", StepStatus.UPSTREAM_FAILED, caused_by="clean", reason="step 'clean' failed"),
    step_run("alarm", StepStatus.SUCCEEDED, attempt=1, started_at=minutes(20), ended_at=minutes(21)),
    status=WorkflowRunStatus.FAILED,
    ended_at=minutes(21),
)


def random_workflow(seed: int, count: int | None = None) -> Workflow:
    """A workflow with random needs, conditions and hostile texts."""
    rng = random.Random(seed)
    steps = list[Step]()
    for number in range(count or rng.choice([1, 2, 5, 12, 30])):
        before = [step.name for step in steps[-12:]]
        needs = rng.sample(before, min(len(before), rng.choice([0, 1, 2, 3])))
        when: When | Condition = rng.choice([*When, *[When.SUCCEEDED] * 5])
        if needs and rng.random() < 0.2:
            path = tuple(
                rng.choice(["rows", 0, harmless(rng.choice(HOSTILE))]) for _ in range(rng.randint(0, 2))
            )
            when = Condition(step=needs[0], path=path, value=harmless(rng.choice(HOSTILE)))
        name = rng.choice(["load", "end", "subgraph", "default", "x" * 50, "a.b_c"]) + f"-{number}"
        steps.append(Step(name, target=rng.choice(TARGETS), needs=needs, when=when))
    rng.shuffle(steps)
    title = harmless(rng.choice(HOSTILE)) or "w"
    return Workflow("nightly", steps=steps, title=title, description=title)


def random_run(flow: Workflow, seed: int) -> WorkflowRun:
    """A run of the workflow with random states, not necessarily possible ones, and hostile texts."""
    rng = random.Random(seed)
    steps = list[StepRun]()
    for step in flow.steps:
        status = rng.choice(list(StepStatus))
        start = minutes(rng.uniform(0, 50)) if rng.random() < 0.8 or status is StepStatus.RUNNING else None
        end = None if start is None or not status.has_ended else start + timedelta(minutes=rng.uniform(0, 30))
        said = {key: harmless(rng.choice(HOSTILE)) for key in ("error", "reason", "detail")}
        times = {"started_at": start, "ended_at": end, "attempt": rng.randint(0, 3)}
        steps.append(
            StepRun.model_validate(
                {"name": step.name, "status": status, "needs": step.needs, **times, **said}
            )
        )
    whole = rng.choice(list(WorkflowRunStatus))
    said = {key: harmless(rng.choice(HOSTILE)) for key in ("workflow", "error")}
    return WorkflowRun.model_validate(
        {
            "id": "r-1",
            "version": 1,
            "status": whole,
            "started_at": START,
            "ended_at": minutes(90) if whole.has_ended else None,
            "steps": tuple(steps),
            **said,
        }
    )


def harmless(text: str) -> str:
    """The text as a record can hold it: JSON has no lone surrogates."""
    return text.encode("utf-8", "replace").decode()
