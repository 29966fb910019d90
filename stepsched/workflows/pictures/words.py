"""The texts about steps in pictures and tables."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from stepsched.aws.services import title_of
from stepsched.display.times import length_text, took_text
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    CommandTarget,
    HandlerTarget,
    HttpTarget,
    Target,
    TemplateTarget,
)
from stepsched.targets.base import ServiceTarget, arn_of
from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.model import Step
from stepsched.workflows.records import StepRun, StepStatus
from stepsched.workflows.run_texts import note_of

_SERVICES = {
    "lambda": "Lambda", "state_machine": "state machine", "queue": "queue", "topic": "topic",
    "event_bus": "event bus", "kinesis": "stream", "firehose": "delivery stream", "ecs_task": "ECS task",
    "code_build": "CodeBuild", "code_pipeline": "CodePipeline", "sagemaker_pipeline": "SageMaker pipeline",
}  # fmt: skip
_WHEN = {When.DONE: "when all have ended", When.FAILED: "when one has failed"}


def kind_text(target: Target) -> str:
    """Returns what a target is, in a few words.

    >>> kind_text(BatchTarget("arn:aws:batch:eu-west-1:123456789012:job-definition/etl:3", job_queue="low"))
    'Batch etl:3'
    >>> kind_text(CommandTarget(["/usr/bin/python", "report.py"]))
    'command python'
    """
    match target:
        case BatchTarget():
            return f"Batch {_last(target.job_definition)}"
        case HandlerTarget():
            return f"function {target.handler.rpartition(':')[2]}"
        case CommandTarget():
            return "command " + re.split(r"[/\\]", target.command[0])[-1]
        case HttpTarget():
            return f"{target.method} {target.host}"
        case ApiTarget():
            return f"{title_of(target.service)} {target.action}"
        case TemplateTarget():
            return f"target {_last(target.target_arn)}"
        case ServiceTarget():
            return f"{_SERVICES.get(target.kind, target.kind.replace('_', ' '))} {_last(arn_of(target))}"
    return target.kind


def _last(arn: str) -> str:
    """Returns the name in an ARN, with its version or alias; other text is returned unchanged."""
    parts = arn.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return arn
    kind = re.match(r"[A-Za-z-]+[/:]", parts[5])
    return parts[5][kind.end() :] if kind else parts[5]


def when_text(step: Step) -> str:
    """Returns for which outcomes of its needs a step starts; empty for the usual ones and for conditions."""
    return _WHEN.get(step.when, "") if isinstance(step.when, When) and step.needs else ""


def condition_text(condition: Condition) -> str:
    """Returns a condition without the name of its step.

    >>> condition_text(Condition(step="extract", path=("rows", 0), operator=">", value=3))
    'rows[0] > 3'
    """
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in condition.path
    ).removeprefix(".")
    return f"{path or 'output'} {condition.operator} {json.dumps(condition.value, ensure_ascii=False)}"


def took(run: StepRun, now: datetime) -> timedelta | None:
    """Returns how long the latest attempt took, or has run until now. None: none has started."""
    if run.started_at is None:
        return None
    end = run.ended_at or (now if run.status is StepStatus.RUNNING else None)
    return None if end is None else max(end - run.started_at, timedelta(0))


def subtitle(step: Step | None, run: StepRun | None, now: datetime, *, is_brief: bool = False) -> str:
    """Returns the small text of a step: its state, then what it invokes, unless a brief text with a state is
    enough."""
    parts = list[str]()
    if run is not None:
        lasted = took(run, now)
        parts.append(f"{run.status}" if lasted is None else f"{run.status} {took_text(lasted)}")
        if run.attempt > 1:
            parts.append(f"attempt {run.attempt}")
    if step is not None:
        parts.append(when_text(step))
        parts += [] if is_brief and run is not None else [kind_text(step.target)]
    return " · ".join(part for part in parts if part)


def details(name: str, needs: tuple[str, ...], step: Step | None, run: StepRun | None, now: datetime) -> str:
    """Returns everything about a step, one thing a line, for a tooltip."""
    lines = [name, *(_outcome(run, now) if run is not None else [])]
    if step is not None:
        lines.append(kind_text(step.target))
    if needs:
        lines.append(f"needs {', '.join(needs)}")
    if step is not None:
        lines += _policy(step)
    return "\n".join(lines)


def _outcome(run: StepRun, now: datetime) -> list[str]:
    said = note_of(run)
    lines = [f"{run.status}: {said}" if said else f"{run.status}"]
    if run.started_at is not None:
        lasted = took(run, now)
        suffix = (
            ""
            if lasted is None
            else f", took {took_text(lasted)}"
            if run.ended_at
            else f", for {took_text(lasted)}"
        )
        lines.append(f"started {run.started_at.isoformat(' ', 'seconds')}{suffix}")
    return lines


def _policy(step: Step) -> list[str]:
    lines = list[str]()
    if isinstance(step.when, Condition):
        lines.append(f"only if {step.when.step}: {condition_text(step.when)}")
    elif when_text(step):
        lines.append(when_text(step))
    if step.retry.max_attempts:
        lines.append(f"retries {step.retry.max_attempts}x")
    if step.timeout is not None:
        lines.append(f"timeout {length_text(step.timeout)}")
    return lines
