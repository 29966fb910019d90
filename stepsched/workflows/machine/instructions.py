"""What the driver reads of a workflow: its graph, and the instructions of each step, as data.

Instructions are never evaluated. The arguments of a step's call are JSON text in parts; between them are the
values of references, which the driver fills in when the step starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from pydantic import JsonValue

from stepsched.aws.services import integration_of
from stepsched.core.payloads import to_json
from stepsched.jobs import Completion, Job, OnFailure, Retry
from stepsched.machines.calls import has_attributes, pascal_case
from stepsched.machines.shared.instructions import DEFAULT_RETENTION, build_instructions
from stepsched.schedules import OneTime
from stepsched.targets import ApiTarget, BatchTarget, QueueTarget, Target, TopicTarget
from stepsched.targets.base import ServiceTarget
from stepsched.workflows import references
from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.failures import SERVICES
from stepsched.workflows.machine.names import batch_base
from stepsched.workflows.model import Step, Workflow

MAX_GRAPH = 200_000
"""The maximum size of a graph as JSON, in bytes: it travels in one variable of the machine and one row (a
policy of ours; AWS bounds a variable at 256 KiB)."""
MAX_ANSWER = 260_000
"""The maximum size of a graph as text in JSON, in bytes: the machine reads it in one call, whose answer AWS
bounds at 256 KiB."""
MAX_INPUT = 100_000
"""The maximum size of the input of a run as compact JSON, in bytes (a policy of ours): as text in JSON, full
of quotes, it still fits into one variable of the machine."""
SMALLER_INPUT = "keep large data elsewhere, such as in S3, and pass its location"
MAX_READS = 50
"""The maximum number of steps whose outputs one step uses: they are read in one call, whose answer is bounded
at 256 KiB."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)
_SECOND = timedelta(seconds=1)
_WHEN = {When.DONE: "d", When.FAILED: "f"}
BATCH, BATCH_AWAITS, RUNNER = "b", "B", "r"
"""The kinds of a step in the graph: on AWS Batch, which may be submitted before its needs have ended; on AWS
Batch, and not so; run by the runner."""


def graph_of(workflow: Workflow, *, retention: timedelta = DEFAULT_RETENTION) -> str:
    """The graph as the driver reads it: compact JSON with the steps in topological order.

    Args:
        workflow: The definition.
        retention: How long ended runs are kept.

    Raises:
        ValueError: The text is longer than :data:`MAX_GRAPH`.
    """
    if "__proto__" in workflow.by_name:
        raise ValueError(
            "expected another name than '__proto__' for a step: engines of JSONata lose such keys"
        )
    place = {name: str(number) for number, name in enumerate(workflow.order)}
    policies = list[dict[str, JsonValue]]()
    steps = list[dict[str, JsonValue]]()
    for name in workflow.order:
        step = workflow.by_name[name]
        steps.append(_node(step, workflow, place, policies))
    graph: dict[str, Any] = {
        "steps": steps,
        "retry": policies,
        "stop": workflow.on_failure is OnFailure.STOP,
        "wait": int(workflow.wait_time / _SECOND),
        "keep": retention // _SECOND,
        "input": workflow.input,
        "title": workflow.title or workflow.name,
        "topic": "" if workflow.notify is None else workflow.notify.topic_arn,
        "form": workflow.notification,
    }
    given = len(to_json(workflow.input).encode())
    if given > MAX_INPUT:
        raise ValueError(f"expected an input of at most {MAX_INPUT:,} bytes, got {given:,}; {SMALLER_INPUT}")
    text = to_json(graph)
    size, escaped = len(text.encode()), len(to_json(text).encode())
    if size > MAX_GRAPH or escaped > MAX_ANSWER:
        raise ValueError(
            f"expected a graph of at most {MAX_GRAPH:,} bytes, and {MAX_ANSWER:,} as text in JSON, got "
            f"{size:,} and {escaped:,}; use shorter names of steps, fewer needs, or several workflows"
        )
    return text


def _node(
    step: Step, workflow: Workflow, place: dict[str, str], policies: list[dict[str, JsonValue]]
) -> dict[str, JsonValue]:
    node: dict[str, JsonValue] = {"i": place[step.name], "n": step.name, "k": _kind(step, workflow)}
    node["d"] = [place[need] for need in step.needs]
    policy = _policy(step.retry)
    if policy["max"]:  # JSON without it means: no retry
        if policy not in policies:
            policies.append(policy)
        node["r"] = policies.index(policy)
    if _service(step.target) in SERVICES:
        node["e"] = 1
    if isinstance(step.when, Condition):
        node["w"] = "c"
        node["c"] = _condition(step.when)
    elif step.when in _WHEN:
        node["w"] = _WHEN[step.when]
    return node


def _kind(step: Step, workflow: Workflow) -> str:
    if not isinstance(step.target, BatchTarget):
        return RUNNER
    uses_outputs = any(each.step is not None for each in references.references(step.input))
    early = step.when is When.SUCCEEDED and workflow.on_failure is OnFailure.CONTINUE and not uses_outputs
    return BATCH if early else BATCH_AWAITS


def _service(target: Target) -> str:
    """The service to whose errors the rules of failures apply, by the name of its integration."""
    match target:
        case ServiceTarget(api_call=call):
            return integration_of(call.service)
        case ApiTarget(service=service):
            return integration_of(service)
    return ""


def _policy(retry: Retry) -> dict[str, JsonValue]:
    if retry.pauses is not None:
        return {"max": retry.max_attempts, "pauses": [pause / _SECOND for pause in retry.pauses]}
    bound = retry.max_age if retry.max_delay is None else retry.max_delay
    return {
        "max": retry.max_attempts,
        "first": retry.interval / _SECOND,
        "rate": retry.backoff_rate,
        "bound": bound / _SECOND,
    }


def _condition(condition: Condition) -> dict[str, JsonValue]:
    part = f"{list(condition.path)} of " if condition.path else ""
    says = f"expected {part}the output of {condition.step!r} {condition.operator} {condition.value!r}"
    return {
        "s": condition.step,
        "p": list(condition.path),
        "o": condition.operator,
        "v": condition.value,
        "t": f"its condition is not met: {says}",
    }


# -- steps --------------------------------------------------------------------------------------------------


def step_instructions(
    workflow: Workflow,
    step: Step,
    *,
    calls: Collection[str] | None = None,
    retention: timedelta = DEFAULT_RETENTION,
) -> dict[str, Any]:
    """The instructions of a step, for the attribute ``plan`` of its row.

    Args:
        workflow: The definition of which it is a part.
        step: The step.
        calls: The calls for which the runner has a state. None: all calls.
        retention: How long the rows of its runs are kept.

    Raises:
        MissingCallError: The runner has no state for the call of the step.
        ValueError: AWS cannot run the step exactly. The error names the reason and an alternative.
    """
    marks = _Marks.of(step.input, beside=json.dumps([workflow.name, step.model_dump(mode="json")]))
    reads = list(dict.fromkeys(each.step for each in marks.references if each.step is not None))
    if len(reads) > MAX_READS:
        raise ValueError(
            f"expected references to the outputs of at most {MAX_READS} steps, got {len(reads)}; use a step "
            "in between that puts some of them together"
        )
    if marks.references and has_attributes(step.input):
        raise ValueError(
            "a reference beside a context attribute: the runner fills in the whole call at once, also the "
            "text of the value (P-23); use two steps"
        )
    plan: dict[str, Any] = {
        "reads": reads,
        "refs": [
            {"p": list(each.path), **({} if each.step is None else {"s": each.step}), "t": _missing(each)}
            for each in marks.references
        ],
    }
    if isinstance(step.target, BatchTarget):
        arguments = _batch_arguments(step, step.target, marks)
        base = batch_base(step.target.job_name or step.name)
        return plan | {
            "base": base,
            "queue": step.target.job_queue,
            "parts": marks.parts(arguments, text=True),
        }
    job = hidden_job(workflow, step, marks.value)
    instructions = build_instructions(job, anchor=_LONG_AGO, version=1, retention=retention, calls=calls)
    if marks.references and instructions["fills"]:
        raise ValueError(
            "a reference beside a deduplication ID of FIFO, or another context attribute of the target: the "
            "runner fills in the whole call at once, also the text of the value (P-23); use a queue or topic "
            "that is not FIFO, or a step in between that passes the value on"
        )
    whole = isinstance(step.target, (QueueTarget, TopicTarget))
    return plan | {"parts": marks.parts(instructions, text=whole)}


def hidden_job(workflow: Workflow, step: Step, payload: JsonValue) -> Job:
    """The job by which the runner runs a step: one run that it waits for, without retries, which are the
    driver's.

    Args:
        workflow: The definition.
        step: The step.
        payload: The input of the step, with marks in the place of references.
    """
    return Job(
        name=f"{workflow.name}/{step.name}"[:256],
        schedule=OneTime(_LONG_AGO),
        target=step.target,
        input=payload,
        retry=Retry(max_attempts=0, max_age=timedelta(hours=24)),
        completion=Completion.KEEP,
        max_run_time=step.timeout,
    )


def _missing(reference: references.Reference) -> str:
    return (
        f"there is no {reference}"
        if reference.path or reference.step is None
        else (f"step {reference.step!r} has no output; give it one by mark_succeeded of a restart")
    )


def _batch_arguments(step: Step, target: BatchTarget, marks: _Marks) -> dict[str, Any]:
    """The request of SubmitJob without its name and dependencies; members of the input are parameters, as
    text.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
    """
    assert isinstance(marks.value, dict)  # Step checks it
    given = {key: item if isinstance(item, str) else to_json(item) for key, item in marks.value.items()}
    arguments: dict[str, Any] = {"JobQueue": target.job_queue, "JobDefinition": target.job_definition}
    if parameters := {**target.parameters, **given}:
        arguments["Parameters"] = parameters
    if target.container_overrides:
        arguments["ContainerOverrides"] = pascal_case(target.container_overrides)
    if step.timeout is not None:
        arguments["Timeout"] = {"AttemptDurationSeconds": int(step.timeout / _SECOND)}
    return arguments


class _Marks(NamedTuple):
    """An input whose references are replaced by marks: texts that occur nowhere else in it."""

    value: JsonValue
    references: tuple[references.Reference, ...]
    pattern: str

    @classmethod
    def of(cls, payload: JsonValue, *, beside: str) -> _Marks:
        stem = "reference"
        while stem in beside:
            stem += "-x"
        found = list[references.Reference]()

        def marked(value: JsonValue) -> JsonValue:
            match value:
                case dict():
                    reference = references.read(value)
                    if reference is not None:
                        found.append(reference)
                        return f"{stem}-{len(found) - 1}-"
                    return {key: marked(item) for key, item in value.items()}
                case list():
                    return [marked(item) for item in value]
            return value

        return cls(marked(payload), tuple(found), rf"{stem}-(\d+)-")

    def parts(self, value: Any, *, text: bool) -> list[JsonValue]:
        """The JSON text of a value in parts; a mark becomes ``{"r": number, "m": mode}``: 1 for the JSON of
        the value, 2 for that JSON inside of a text, 3 for the value as text.

        Args:
            value: Data with marks.
            text: Whether a text that is only a mark stands for text: other values become JSON then.
        """
        return list(self._parts(to_json(value), text=text)) if self.references else [to_json(value)]

    def _parts(self, written: str, *, text: bool) -> Iterator[JsonValue]:
        at = 0
        for match in re.finditer(rf'\\"{self.pattern}\\"|"{self.pattern}"', written):
            inner, outer = match.groups()
            yield written[at : match.start()]
            at = match.end()
            yield {"r": int(inner or outer), "m": 2 if inner is not None else 3 if text else 1}
        yield written[at:]
