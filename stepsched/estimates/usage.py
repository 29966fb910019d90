"""What a job uses of the billed units of its backend.

For Step Functions the state transitions are counted from the states of the runner, and the write and read
units from the row that the backend would write for the job.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from stepsched.backends.capabilities import BUILT_IN, NAMES
from stepsched.backends.needs import needs_of, others_for
from stepsched.core.errors import UnsupportedError
from stepsched.jobs import Completion, Job, JobStatus
from stepsched.schedules import Rate
from stepsched.targets import ApiTarget, WorkflowTarget

BackendName: TypeAlias = Literal["EventBridgeBackend", "StepFunctionsBackend", "LocalBackend"]
_NAMES: tuple[BackendName, ...] = get_args(BackendName)
EVENTBRIDGE, STEP_FUNCTIONS, LOCAL = _NAMES
_WRITE_UNIT, _READ_UNIT = 1_024, 4_096
INDEX_WRITES = 2
"""The writes of the index for a job whose next run changes: one deletes its entry, one puts another."""
_RETENTION = timedelta(days=30)
_TOKEN = "0" * 12
_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:stepsched-Runner-0123456789AB"
"""An ARN of the length of those that CloudFormation makes."""


class Units(NamedTuple):
    """Numbers of billed units."""

    invocations: int = 0
    transitions: int = 0
    write_units: int = 0
    read_units: int = 0

    def plus(self, other: Units, times: int = 1) -> Units:
        """Returns the sum with another one that is taken several times."""
        return Units(*(own + times * each for own, each in zip(self, other, strict=True)))


class Usage(NamedTuple):
    """What a job uses, in parts. No run waits for another one."""

    run: Units = Units()
    """A scheduled run that succeeds at once."""
    failed: Units = Units()
    """What a scheduled run uses in addition if it fails for good, after all its retries."""
    start: Units = Units()
    """The creation of the job, and the start of its first execution."""
    renewal: Units = Units()
    """The hand-over of an execution to its successor."""
    rest: Units = Units()
    """The sleep before a hand-over that comes because the execution is old."""
    end: Units = Units()
    """The end of the job after its last run."""
    runs_per_execution: int | None = None
    """The number of runs after which an execution hands over. None: nothing is handed over."""
    failed_per_execution: int | None = None
    """The same for runs that fail for good."""

    def if_all_fail(self) -> Usage:
        """Returns the usage of a job whose runs all fail for good."""
        return self._replace(run=self.run.plus(self.failed), runs_per_execution=self.failed_per_execution)


def backend_of(job: Job, wanted: BackendName | None) -> BackendName:
    """Returns the class of the backend for a job.

    Args:
        job: The job.
        wanted: The class of the backend that is to run it. None: the first that can, in the order EventBridge
            Scheduler, Step Functions, embedded.

    Raises:
        UnsupportedError: The wanted backend cannot run the job, or the job runs a workflow.
    """
    if isinstance(job.target, WorkflowTarget):
        reason = "the cost of the runs of a workflow depends on its steps, and is not estimated"
        way = "StateMachineTarget(<WorkflowsArn>) as target, for the cost of their starts"
        raise UnsupportedError(job.name, NAMES[wanted or STEP_FUNCTIONS], reason, (way,))
    needs = needs_of(job)
    if wanted in (None, EVENTBRIDGE) and all(getattr(BUILT_IN[EVENTBRIDGE], need) for need in needs):
        return EVENTBRIDGE  # without looking at the others, which takes longer
    able = others_for(job, "")
    for name in _NAMES:
        if name in able and wanted in (None, name):
            return name
    assert wanted is not None, "the embedded backend has all that a job can need"
    missing = [need for need in needs if need in BUILT_IN[wanted].missing]
    reason = f"it lacks what the job needs: {', '.join(missing)}"
    if not missing:
        reason = "the machine cannot pass the data of the job exactly"
    raise UnsupportedError(job.name, NAMES[wanted], reason, able)


def usage_of(job: Job, backend: str, since: datetime) -> Usage:
    """Returns what a job uses on a backend.

    Args:
        job: The job.
        backend: The class of the backend.
        since: The creation of the job.

    Raises:
        UnsupportedError: Step Functions cannot run the job exactly.
    """
    if backend == EVENTBRIDGE:
        # Whether the service bills retries is not documented.
        return Usage(run=Units(invocations=1), failed=Units(invocations=job.retry.max_attempts))
    return _usage_of_execution(job, since) if backend == STEP_FUNCTIONS else Usage()


def _usage_of_execution(job: Job, since: datetime) -> Usage:
    from stepsched.backends.stepfunctions.rows import write_version
    from stepsched.machines.fan_out import batches_of
    from stepsched.machines.shared.runner import runs_per_execution, transitions

    item = _row_of(job, since)
    current = -(-_size(item) // _WRITE_UNIT)
    version = -(
        -_size({"name": item["name"], "version": {"S": "v1"}, **write_version(job, since)}) // _WRITE_UNIT
    )
    reading = Units(read_units=-(-_size(item) // _READ_UNIT), write_units=current)
    of = transitions()
    # A transaction writes everything twice. The index is written once for a new row and for a deleted one.
    creation = removal = 2 * (current + version) + 1
    if not (job.is_one_time and job.completion is Completion.DELETE):
        removal = current + INDEX_WRITES
    record = 2 * (current + 1) + INDEX_WRITES + 1
    attempts, notices = (
        job.retry.max_attempts,
        sum(each is not None for each in (job.dead_letter, job.notify)),
    )
    batches = batches_of(job.target)
    sending = batches * of.batch - 1 if batches else 0  # the run has one state that sends
    return Usage(
        run=Units(transitions=of.run + sending, write_units=current + record),
        failed=Units(transitions=attempts * of.retry + of.failure + notices * of.notification),
        start=reading.plus(Units(transitions=of.start, write_units=creation)),
        renewal=reading.plus(Units(transitions=of.renewal)),
        rest=Units(transitions=of.rest),
        end=Units(transitions=of.end, write_units=removal),
        runs_per_execution=runs_per_execution(attempts, batches=batches),
        failed_per_execution=runs_per_execution(attempts, batches=batches, failed=True),
    )


def _row_of(job: Job, since: datetime) -> dict[str, Any]:
    """Returns the row of a job while a run of it is running, when it is largest."""
    from stepsched.backends.stepfunctions.instructions import instructions_of, instructions_text
    from stepsched.backends.stepfunctions.rows import Row, floor_second, key, run_key, write_row
    from stepsched.backends.stepfunctions.service import execution_name
    from stepsched.machines.data import call_data
    from stepsched.machines.shared import table_schema as schema
    from stepsched.machines.shared.runner import CALLS

    anchor = floor_second(since)
    if isinstance(job.schedule, Rate) and job.starts_at_creation and job.schedule.end is not None:
        anchor = min(anchor, job.schedule.end - job.schedule.every)  # it has ended before
    # The stack is assumed to have the call of an ApiTarget.
    calls = {call_data(job).call.name} if isinstance(job.target, ApiTarget) else CALLS
    instructions = instructions_of(job, anchor=anchor, version=1, retention=_RETENTION, calls=calls)
    plan = instructions_text(instructions, job, anchor=anchor, version=1)
    row = Row(job, JobStatus.ACTIVE, 1, since, since, anchor, anchor, token=_TOKEN, plan=plan)
    execution = f"{_MACHINE.replace(':stateMachine:', ':execution:')}:{execution_name(job.name, _TOKEN)}"
    run = run_key(anchor)
    written = {
        schema.EXECUTION: execution,
        schema.CLAIMED_BY: execution,
        schema.CLAIMED: run,
        schema.LAST: run,
    }
    written[schema.STARTED_AT] = f"{anchor:%Y-%m-%dT%H:%M:%S.000Z}"
    return {**key(job.name), **write_row(row), **{name: {"S": text} for name, text in written.items()}}


def _size(item: Mapping[str, Mapping[str, str]]) -> int:
    """Returns the size of an item of strings and numbers in bytes."""
    size = 0
    for name, value in item.items():
        ((kind, text),) = value.items()
        size += len(name.encode()) + (len(text.encode()) if kind == "S" else len(text) // 2 + 2)
    return size
