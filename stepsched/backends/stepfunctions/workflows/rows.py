"""Converts workflows, their runs and steps to rows of the table of jobs, and back.

| ``name`` | ``version`` | holds |
|---|---|---|
| ``workflow#`` | ``name#<workflow>`` | that there is such a workflow |
| ``workflow#<workflow>`` | ``definition`` | the number and the digest of the latest definition |
| ``workflow#<workflow>`` | ``definition#<number>`` | a definition without its steps, and its graph for the
machine |
| ``workflow#<workflow>#=<digest>`` | ``step#<step>`` | a step of the definitions with that digest, and its
instructions |
| ``workflow#<workflow>`` | ``flow#<run>`` | a run |
| ``workflow#<workflow>#<run>`` | ``step#<step>`` | a step of a run; a step without a row is pending |
| ``workflow#<workflow>#<run>#<step>`` | ``v0``, ``run#...`` | what the runner runs for a step |

IDs of runs and names of steps have no ``#``, so the keys of different rows differ. Only rows of the last
line have a ``status``, so that the index contains them; :meth:`Table.keys_by_status` leaves them out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from stepsched.backends.stepfunctions.rows import Item, read_instant, write_expiry, write_instant
from stepsched.core.payloads import to_json
from stepsched.jobs import Trigger
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import DEFINITION, FLOW, STEP, WORKFLOW_NAME, WORKFLOW_ROWS
from stepsched.workflows import StepRun, StepStatus, Workflow, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.machine.names import definition_name

STEPS_END, FLOWS_END, NAMES_END = f"{STEP[:-1]}$", f"{FLOW[:-1]}$", f"{WORKFLOW_NAME[:-1]}$"
"""The ends of ranges of sort keys: the character after ``#``."""
NOTICE_DUE = "due"
"""The notice of a run whose end may not have been told."""
TO_BE_ENDED = "to be ended"
"""The detail of a step that was skipped or cancelled while it ran, and of its run, until its work has been
ended."""
_NUMBERS = {"attempt": schema.ATTEMPTS, "failures": schema.FAILURES, "losses": schema.LOSSES}
_INSTANTS = {
    "started_at": schema.STARTED_AT,
    "ended_at": schema.ENDED_AT,
    "retry_at": schema.RETRY_AT,
}
_TEXTS = {
    "output": schema.OUTPUT,
    "error": schema.ERROR,
    "failure": schema.FAILURE,
    "caused_by": schema.CAUSED_BY,
    "reason": schema.REASON,
    "job_id": schema.JOB_ID,
    "detail": schema.DETAIL,
}

# -- keys -----------------------------------------------------------------------------------------------


def rows_of_workflow(workflow: str) -> str:
    """The name of the rows of a workflow: its definitions and runs."""
    return f"{WORKFLOW_ROWS}{workflow}"


def rows_of_definition(workflow: str, digest: str) -> str:
    """The name of the rows of the steps of a definition."""
    return definition_name(workflow, digest)


def rows_of_run(workflow: str, run_id: str) -> str:
    """The name of the rows of the steps of a run."""
    return f"{WORKFLOW_ROWS}{workflow}#{run_id}"


def hidden_job(workflow: str, run_id: str, step: str) -> str:
    """The name of the job as which the runner runs a step."""
    return f"{WORKFLOW_ROWS}{workflow}#{run_id}#{step}"


def definition_key(number: int) -> str:
    """The sort key of a definition."""
    return f"{DEFINITION}#{number:06}"


# -- runs -----------------------------------------------------------------------------------------------


class RunRow(NamedTuple):
    """The row of a run of a workflow."""

    run: WorkflowRun
    """The run, without its steps."""
    digest: str
    """The digest of the definition that it follows."""
    token: str | None
    """The ARN of the execution that drives the run. None: none has taken it yet, or the run was cancelled."""
    execution: str | None
    """The ARN of the execution that was started for the run. None: unknown."""
    is_ending: bool
    """Whether the work of a step is still to be ended."""
    is_untold: bool
    """Whether the run has ended, and its end may not have been told."""
    expires_at: int | None
    """The time after which DynamoDB may delete the row, in seconds since 1970. None: it is kept."""

    @property
    def has_state(self) -> dict[str, Any]:
        """The conditions that the run has neither ended, nor been changed by an operator, since it was
        read."""
        return {
            "conditions": (schema.HAS_STATE, schema.HAS_REVISION),
            "values": {
                "old_state": {"S": self.run.status.value},
                "old_revision": {"N": str(self.run.revision)},
            },
        }


def write_flow(run: WorkflowRun, digest: str, execution: str | None) -> dict[str, Any]:
    """The attributes of a run's row, without its key."""
    texts = {
        schema.STATE: run.status.value,
        schema.DIGEST: digest,
        schema.TRIGGER: run.trigger.value,
        schema.STARTED_AT: write_instant(run.started_at),
        schema.ENDED_AT: None if run.ended_at is None else write_instant(run.ended_at),
        schema.SCHEDULED_FOR: None if run.scheduled_for is None else write_instant(run.scheduled_for),
        schema.INPUT: to_json(run.input),
        schema.EXECUTION: execution,
        schema.ERROR: run.error,
    }
    numbers = {schema.LATEST: run.version, schema.RESTARTS: run.restarts, schema.REVISION: run.revision}
    return {name: {"S": text} for name, text in texts.items() if text is not None} | {
        name: {"N": str(number)} for name, number in numbers.items()
    }


def read_flow(item: Item) -> RunRow:
    """Reads the row of a run.

    Raises:
        ValueError: The row cannot be read. The error names it and the reason.
    """
    name, version = item[schema.NAME]["S"], item[schema.VERSION]["S"]
    workflow, run_id = name.removeprefix(WORKFLOW_ROWS), version.removeprefix(FLOW)
    try:
        run = WorkflowRun(
            workflow=workflow,
            id=run_id,
            status=WorkflowRunStatus(item[schema.STATE]["S"]),
            version=int(item[schema.LATEST]["N"]),
            started_at=read_instant(item[schema.STARTED_AT]["S"]),
            ended_at=_instant(item, schema.ENDED_AT),
            scheduled_for=_instant(item, schema.SCHEDULED_FOR),
            trigger=Trigger(item.get(schema.TRIGGER, {}).get("S", Trigger.MANUAL.value)),
            restarts=int(item.get(schema.RESTARTS, {}).get("N", 0)),
            revision=int(item.get(schema.REVISION, {}).get("N", 0)),
            input=json.loads(item[schema.INPUT]["S"]),
            error=_text(item, schema.ERROR),
            job_id=_text(item, schema.TOKEN) or _text(item, schema.EXECUTION),
        )
        return RunRow(
            run,
            item[schema.DIGEST]["S"],
            _text(item, schema.TOKEN),
            _text(item, schema.EXECUTION),
            is_ending=_text(item, schema.DETAIL) == TO_BE_ENDED,
            is_untold=run.status.has_ended and _text(item, schema.NOTICE) == NOTICE_DUE,
            expires_at=_number(item, schema.TTL),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"row {version!r} of {name!r} cannot be read as a run of a workflow: {_reason(error)}"
        ) from error


# -- steps ----------------------------------------------------------------------------------------------


def write_step(step: StepRun) -> tuple[dict[str, Any], list[str]]:
    """The attributes of a step's row, without its key, and the attributes that it does not have."""
    written = {
        schema.STATE: {"S": step.status.value},
        **{name: {"N": str(getattr(step, field))} for field, name in _NUMBERS.items()},
    }
    texts = {name: getattr(step, field) for field, name in _TEXTS.items()}
    for field, name in _INSTANTS.items():
        instant = getattr(step, field)
        texts[name] = None if instant is None else write_instant(instant)
    written |= {name: {"S": str(text)} for name, text in texts.items() if text is not None}
    return written, [name for name, text in texts.items() if text is None]


def read_step(item: Item) -> StepRun:
    """Reads the row of a step of a run, without its link.

    Raises:
        ValueError: The row cannot be read. The error names it and the reason.
    """
    name = item[schema.VERSION]["S"].removeprefix(STEP)
    try:
        found: dict[str, Any] = {
            field: int(item.get(attribute, {}).get("N", 0)) for field, attribute in _NUMBERS.items()
        }
        found |= {field: _instant(item, attribute) for field, attribute in _INSTANTS.items()}
        found |= {field: _text(item, attribute) for field, attribute in _TEXTS.items()}
        return StepRun(name=name, status=StepStatus(item[schema.STATE]["S"]), **found)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"row {name!r} of {item[schema.NAME]['S']!r} cannot be read as a step: {_reason(error)}"
        ) from error


def expiry(ended_at: datetime, retention: Any) -> dict[str, str]:
    """The time after which DynamoDB may delete the rows of a run, as an attribute."""
    return write_expiry(ended_at + retention)


# -- definitions ----------------------------------------------------------------------------------------


def write_definition(workflow: Workflow) -> str:
    """A definition without its steps, as JSON: with their names in order, and the needs of each as
    positions."""
    place = {name: number for number, name in enumerate(workflow.needs)}
    fields = workflow.model_dump(mode="json", exclude={"steps"})
    needs: list[JsonValue] = [[place[need] for need in of] for of in workflow.needs.values()]
    return to_json({"workflow": fields, "steps": list(place), "needs": needs})


class Outline(NamedTuple):
    """A definition without the steps themselves."""

    fields: Mapping[str, Any]
    """The other fields of the workflow, as JSON."""
    needs: Mapping[str, tuple[str, ...]]
    """The needs of each step, in the order of the definition."""


def read_definition(text: str) -> Outline:
    """Reads what :func:`write_definition` has written.

    Raises:
        ValueError: The text is damaged.
    """
    try:
        found = json.loads(text)
        names = found["steps"]
        needs = {
            name: tuple(names[place] for place in of) for name, of in zip(names, found["needs"], strict=True)
        }
        return Outline(found["workflow"], needs)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the definition is damaged: {_reason(error)}") from error


def _text(item: Item, name: str) -> str | None:
    text: str | None = item.get(name, {}).get("S")
    return text


def _number(item: Item, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _instant(item: Item, name: str) -> datetime | None:
    text = _text(item, name)
    return None if text is None else read_instant(text)


def _reason(error: Exception) -> str:
    """Why a row cannot be read, in a line."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
