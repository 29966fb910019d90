"""The backend on Step Functions and DynamoDB: one table of jobs, and one state machine that runs them."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from typing_extensions import Self

from stepsched.aws.sdk import mapped, validate_connection
from stepsched.backends import pool
from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, checked_job, checked_prepared
from stepsched.backends.capabilities import BUILT_IN
from stepsched.backends.stepfunctions.counts import JobCounts
from stepsched.backends.stepfunctions.executions import JobExecutions, new_token
from stepsched.backends.stepfunctions.instructions import (
    NAME,
    instructions_of,
    instructions_text,
    warn_unobserved_failures,
    with_retention_of,
)
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.repairs import repair
from stepsched.backends.stepfunctions.rows import Row, floor_second, group_in, run_id, run_key, write_run
from stepsched.backends.stepfunctions.runs import Runs, localised
from stepsched.backends.stepfunctions.service import (
    DISABLED,
    SUPERSEDED,
    Executions,
    validate_state_machine_arn,
)
from stepsched.backends.stepfunctions.stacks import STATE_MACHINE_OUTPUT, TABLE_OUTPUT, find_stack
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.jobs import run_id_of, starting
from stepsched.backends.stepfunctions.workflows.store import StepFunctionsWorkflows
from stepsched.backends.stepfunctions.zone_rows import renew_zone_rows
from stepsched.core.clock import Clock, checked_clock
from stepsched.core.durations import plain_duration
from stepsched.core.errors import (
    BackendError,
    ConflictError,
    ErrorCode,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    StepschedError,
    UnsupportedError,
)
from stepsched.core.quoting import quoted
from stepsched.display.progress import reported, reporting
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus, Trigger
from stepsched.jobs.records import first_status, status_after, status_after_update
from stepsched.machines.calls import places_of
from stepsched.machines.shared.instructions import DEFAULT_RETENTION
from stepsched.machines.shared.metrics import JOBS_CREATED, JOBS_DELETED
from stepsched.machines.shared.table_schema import HAS_STATUS, INDEX, LATEST, TOKEN, WORKFLOW_ROWS
from stepsched.schedules.moments import just_before
from stepsched.targets import WorkflowTarget

Item = TypeVar("Item")
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_SECOND = timedelta(seconds=1)
_DAY, _TEN_YEARS = timedelta(days=1), timedelta(days=3_653)
_PAGE_SIZE = 100
_ATTEMPTS = 20
"""The maximum number of attempts of a change that conflicts with another one."""
_MAX_BACKFILL = 10_000
_MAX_INPUT_BYTES = 230_000
"""The maximum size of the instructions of a job and the keys of unscheduled runs in an execution, in
bytes."""
_BYTES_PER_KEY = 32
"""The size of a key of an unscheduled run, including its punctuation, in bytes."""
_MAX_KEYS = 4_000
"""The maximum number of keys in an execution, which copies all of them for each run."""


class StepFunctionsBackend(Backend):
    """A backend that runs jobs as executions of one Step Functions state machine and stores them in DynamoDB.

    No job runs in this process, and no Lambda function is needed: the state machine computes the next run of
    every kind of schedule in every zone. ``stepsched.deploy.template`` creates the stack with the table and
    the machine, and :meth:`SchedulerClient.from_stack` finds them in it. The account, the Region, credentials
    and the endpoint are configured as for boto3.

    Lists are eventually consistent: they read an index. All other reads are strongly consistent.
    """

    name = NAME
    capabilities = BUILT_IN["StepFunctionsBackend"]
    first_pause = 1.0

    def __init__(
        self,
        *,
        state_machine_arn: str,
        table_name: str,
        retention: timedelta | None = None,
        session: Any = None,
        endpoint_url: str | None = None,
        clock: Clock | None = None,
        workers: int = 32,
        metrics: bool = False,
        workflows_arn: str | None = None,
    ) -> None:
        """A backend on one state machine and its table. boto3 is loaded; no call is made.

        Args:
            state_machine_arn: The ARN of the machine, without alias or version.
            table_name: The name of the table with the jobs of the machine.
            retention: How long the history of an ended run is kept, from one day to ten years. It applies to
                jobs that are created or updated from now on; ``pause`` and ``resume`` keep that of a job.
                None: 30 days for new jobs, and an update keeps that of the job too.
            session: A ``boto3.Session``. None: the default session of boto3, in the machine's Region.
            endpoint_url: The endpoint of every service that is called. None: as boto3 is configured.
            clock: The clock that gives the present. None: the clock of this computer.
            workers: The maximum number of concurrent calls in bulk verbs; at least 1.
            metrics: Whether new and cancelled jobs are counted in CloudWatch, as the metrics ``JobsCreated``
                and ``JobsDeleted`` of the machine in the namespace ``stepsched``. A count that cannot be
                written is a :class:`ScheduleWarning`.
            workflows_arn: The ARN of the machine that runs workflows, without alias or version, in the
                account
                and Region of the other one. None: the backend runs no workflows, and ``stop_run`` does not
                cancel one that a job has started.

        Raises:
            TypeError: ``session`` or ``clock`` has another type.
            ValueError: An argument is malformed.
            BackendError: boto3 does not find the configured profile.
        """
        validate_state_machine_arn(state_machine_arn)
        if not isinstance(table_name, str) or _TABLE_NAME.fullmatch(table_name) is None:
            raise ValueError(
                "expected the name of a table for table_name (3 to 255 of A-Z a-z 0-9 _ . -), "
                f"got {quoted(table_name)}"
            )
        if workflows_arn is not None:
            _validate_workflows_arn(workflows_arn, state_machine_arn)
        validate_connection(session, endpoint_url)
        self._keeps_retention = retention is None
        self._retention = DEFAULT_RETENTION if retention is None else _validate_retention(retention)
        self._clock = checked_clock(clock)
        self._workers = pool.checked_workers(workers)
        region = state_machine_arn.split(":")[3]
        import boto3

        with mapped("states", "connect"):
            session = boto3.Session() if session is None else session
            connect = partial(_client, session, region, endpoint_url, workers)
            dynamodb, states = connect("dynamodb"), connect("stepfunctions")
        counting = partial(connect, "cloudwatch") if metrics else None
        self._counts = JobCounts(counting, state_machine_arn.rpartition(":")[2])
        self._table = Table(dynamodb, table_name)
        self._executions = Executions(states, state_machine_arn)
        self._job_executions = JobExecutions(self._table, self._executions)
        self._recovery = Recovery(self._job_executions, self._retention)
        self._runs = Runs(self._table, self._executions, self._retention)
        self._calls: frozenset[str] | None = None
        self._is_indexed = True
        self._workflows: StepFunctionsWorkflows | None = None
        if workflows_arn is not None:
            self._workflows = StepFunctionsWorkflows(
                name=self.name,
                table=self._table,
                runner=self._executions,
                machine=Executions(states, workflows_arn),
                calls=self._calls_of_runner,
                connect_batch=partial(connect, "batch"),
                connect_table=partial(Table, dynamodb),
                clock=self._clock,
                retention=self._retention,
                workers=workers,
            )

    @classmethod
    def from_stack(
        cls,
        name: str,
        *,
        state_machine_output: str = STATE_MACHINE_OUTPUT,
        table_output: str = TABLE_OUTPUT,
        retention: timedelta | None = None,
        session: Any = None,
        endpoint_url: str | None = None,
        clock: Clock | None = None,
        workers: int = 32,
    ) -> Self:
        """A backend on the state machine and the table of a CloudFormation stack, such as that of
        ``stepsched.deploy.template``. One call is made, ``cloudformation:DescribeStacks``, after the
        arguments have been validated. The backend writes metrics if the stack has alarms or a dashboard.

        Args:
            name: The name or the ARN of the stack, in the Region of the session.
            state_machine_output: The name of the output with the ARN of the machine, such as
                ``BlueStateMachineArn`` in a stack with the prefix ``blue``.
            table_output: The name of the output with the name of the table.
            retention: How long the history of an ended run is kept; see the constructor.
            session: A ``boto3.Session``. None: the default session of boto3.
            endpoint_url: The endpoint of every service that is called. None: as boto3 is configured.
            clock: The clock that gives the present. None: the clock of this computer.
            workers: The maximum number of concurrent calls in bulk verbs; at least 1.

        Raises:
            TypeError: ``session`` or ``clock`` has another type.
            ValueError: An argument is malformed.
            BackendError: The stack does not exist, or lacks an output.
            AccessDeniedError: The credentials may not describe the stack.
        """
        if retention is not None:
            retention = _validate_retention(retention)
        clock = checked_clock(clock)
        workers = pool.checked_workers(workers)
        found = find_stack(
            name,
            state_machine_output=state_machine_output,
            table_output=table_output,
            session=session,
            endpoint_url=endpoint_url,
        )
        return cls(
            **found._asdict(),
            retention=retention,
            session=session,
            endpoint_url=endpoint_url,
            clock=clock,
            workers=workers,
        )

    def __repr__(self) -> str:
        machine = self._executions.machine_arn
        return f"StepFunctionsBackend(state_machine_arn={machine!r}, table_name={self._table.name!r})"

    def facts(self) -> Iterator[tuple[str, str]]:
        yield "service", "Step Functions and DynamoDB"
        yield "region", self.state_machine_arn.split(":")[3]
        yield "state machine", self.state_machine_arn
        yield "table", self.table_name
        yield "workflows", "no" if self._workflows is None else "yes"

    @property
    def state_machine_arn(self) -> str:
        """The ARN of the state machine that runs the jobs."""
        return self._executions.machine_arn

    @property
    def table_name(self) -> str:
        """The name of the table that stores the jobs."""
        return self._table.name

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the connections of this backend. Later calls raise :class:`BackendError`; closing again has
        no effect."""
        self.stop(timeout=timeout)
        self._table.close()
        self._executions.close()
        self._counts.close()
        if self._workflows is not None:
            self._workflows.close()

    @property
    def workflows_arn(self) -> str | None:
        """The ARN of the state machine that runs workflows. None: the backend runs no workflows."""
        return None if self._workflows is None else self._workflows.machine_arn

    def workflows(self) -> StepFunctionsWorkflows:
        return self._require_workflows("workflows", "workflow")

    def _require_workflows(self, name: str, what: str) -> StepFunctionsWorkflows:
        if self._workflows is None:
            reason = "it has no state machine that runs workflows"
            way = "StepFunctionsBackend(..., workflows_arn=...) with the output WorkflowsArn of a stack"
            instead = (f"{way} with the part workflows", "LocalBackend")
            raise UnsupportedError(name, self.name, reason, instead, what)
        return self._workflows

    def _calls_of_runner(self, is_fresh: bool) -> frozenset[str]:  # noqa: FBT001 -- a callback
        """The calls of the runner; with True, as they are now."""
        if is_fresh:
            self._calls = None
        return self._ready()

    def _ready(self) -> frozenset[str]:
        """Checks once that the table and the machine exist and belong together, and returns the calls of the
        machine."""
        if self._calls is None:
            self._is_indexed = self._table.check()
            self._calls = self._executions.calls(self._table.name)
        return self._calls

    # -- jobs ----------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def prepare(self, job: Job) -> Prepared:
        checked_job(job)
        anchor = floor_second(self.now())
        if job.name.startswith(WORKFLOW_ROWS):
            reason = f"a name that begins with {WORKFLOW_ROWS!r} is that of rows of workflows"
            raise UnsupportedError(job.name, self.name, reason, ("another name",))
        called = self._called(job)

        def instructions_for(calls: frozenset[str]) -> dict[str, Any]:
            return instructions_of(called, anchor=anchor, version=1, retention=self._retention, calls=calls)

        known = self._calls
        try:
            instructions = instructions_for(self._ready())
        except UnsupportedError:
            if known is None:
                raise
            self._calls = None  # the machine may have been updated since
            instructions = instructions_for(self._ready())
        home = (self._executions.partition, self._executions.region)
        for target in (called.target, job.dead_letter, job.notify):
            elsewhere = set() if target is None else places_of(target) - {home, (home[0], "")}
            if elsewhere:
                (partition, region), *_ = sorted(elsewhere)
                reason = f"the machine in {home[1]} cannot invoke a target in {region} ({partition})"
                raise UnsupportedError(job.name, self.name, reason, ("a machine in that Region",))
        return Prepared(job, instructions, self)

    def _warned(self, job: Job) -> Job:
        """The job as it is warned of: as the machine runs it, whether its workflow exists or not."""
        if not isinstance(job.target, WorkflowTarget) or self.workflows_arn is None:
            return job
        return starting(job, job.target.workflow, self.workflows_arn)

    def _called(self, job: Job) -> Job:
        """The job as the machine runs it: a :class:`WorkflowTarget` is the start of an execution.

        Raises:
            UnsupportedError: The backend runs no workflows, or the job has a ``max_run_time``, which would
                end the execution and not the run of the workflow.
            WorkflowNotFoundError: There is no such workflow.
        """
        if not isinstance(job.target, WorkflowTarget):
            return job
        workflows = self._require_workflows(job.name, "job")
        if job.max_run_time is not None:
            reason = "max_run_time does not end a workflow"
            raise UnsupportedError(job.name, self.name, reason, ("timeout of its steps",))
        workflows.require(job.target.workflow)
        workflows.check_input(job.name, job.input, "job")
        return starting(job, job.target.workflow, workflows.machine_arn)

    def create(self, prepared: Prepared) -> JobRecord:
        job, now = checked_prepared(prepared, self).job, self.now()
        job.refuse_if_over(now)  # its last run may have come due since it was prepared
        anchor = floor_second(now)
        status = first_status(job)
        row = Row(
            job=job,
            status=status,
            version=1,
            created_at=now,
            updated_at=now,
            anchor=anchor,
            cursor=_first_cursor(job, anchor),
            token=None if status is JobStatus.PAUSED else new_token(),
            plan=instructions_text(prepared.plan, job, anchor=anchor, version=1),
        )
        warn_unobserved_failures(self._warned(job))
        try:
            self._table.create(row)
        except JobExistsError:
            stored = self._table.item(job.name)  # the response to this write may have been lost
            if row.token is None or stored is None or stored.get(TOKEN) != {"S": row.token}:
                raise
        self._counts.add(JOBS_CREATED)
        if row.token is not None:
            self._job_executions.start(row)
        return self._record(row)

    def each(
        self, verb: Callable[[Item], JobRecord], items: Sequence[Item]
    ) -> builtins.list[JobRecord | StepschedError]:
        def attempt(item: Item) -> JobRecord | StepschedError:
            try:
                return verb(item)
            except StepschedError as error:
                return error

        with self._counts.batch():
            return list(pool.each(attempt, items, workers=self._workers))

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        return self._record(self._row(name, group))

    def find(self, jobs: Sequence[Job]) -> builtins.list[JobRecord | None]:
        self._ready()
        found = {row.job.name: row for row in self._table.read_many(job.name for job in jobs)}
        records = {record.name: record for record in self._records(list(found.values()))}
        return [records.get(job.name) for job in jobs]

    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        return self._table.versions(self._row(name, group))

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        """The matching jobs, lazily, grouped by status and ordered by next run.

        A table without the index, such as that of the AWS Solutions scheduler, is scanned.
        """
        if query.status is JobStatus.CANCELLED:
            return
        rows = self._rows(query)
        while portion := builtins.list(islice(rows, _PAGE_SIZE)):
            yield from self._records(portion)

    def _rows(self, query: JobQuery) -> Iterator[Row]:
        self._ready()
        for row in self._job_executions.rows(query.status, query.name_prefix or "", indexed=self._is_indexed):
            if (
                query.status in (None, row.status)
                and query.group in (None, row.job.group)
                and query.tags.items() <= row.job.tags.items()
            ):
                yield row

    def update(self, prepared: Prepared, *, expected_version: int) -> JobRecord:
        job = checked_prepared(prepared, self).job

        def changed(row: Row, now: datetime) -> Row | None:
            if row.version != expected_version:
                raise ConflictError(job.name, expected_version)
            second = floor_second(now)
            keeps_grid = job.starts_at_creation and row.job.starts_at_creation  # P-13
            if job.starts_at_creation and not keeps_grid:
                # The first run of the new grid must not have the key of a run that this job has passed.
                second = max(second, row.cursor + _SECOND)
            anchor = row.anchor if keeps_grid else second
            before = row.job.anchored(row.anchor)
            if keeps_grid:
                cursor = max(row.cursor, second) if row.status is not JobStatus.ACTIVE else row.cursor
            elif row.status is JobStatus.ACTIVE and before == job.anchored(anchor):
                cursor = row.cursor  # a run that is due and not yet claimed is run by the new version
            else:
                cursor = max(row.cursor, _first_cursor(job, second))
            status = status_after_update(row.status, row.job, job)
            plan = with_retention_of(row.plan, prepared.plan) if self._keeps_retention else prepared.plan
            return row._replace(
                job=job,
                status=status,
                version=row.version + 1,
                created_at=row.created_at if row.owned else now,
                updated_at=now,
                anchor=anchor,
                cursor=cursor,
                token=None if status is JobStatus.PAUSED else new_token(),
                plan=instructions_text(plan, job, anchor=anchor, version=row.version + 1),
                pause_reason=row.pause_reason if status is JobStatus.PAUSED else None,
            )

        warn_unobserved_failures(self._warned(job))
        before, after = self._change(job.name, None, changed)
        self._replace_execution(before, after)
        return self._record(after)

    def pause(
        self,
        name: str,
        *,
        group: str | None = None,
        stop_run: bool = False,
        reason: str | None = None,
        only_active: bool = False,
    ) -> JobRecord:
        def paused(row: Row, now: datetime) -> Row | None:
            if reason is not None:
                self._require_owned(row)
            status = status_after(name, row.status, "pause", only_change=only_active)
            if row.status is status and reason in (None, row.pause_reason):
                return None
            return row._replace(status=status, token=None, updated_at=now, pause_reason=reason)

        before, after = self._change(name, group, paused)
        self._end_execution(before, stop_run=stop_run)
        if stop_run:  # start the other pending runs of the stopped executions
            self._job_executions.start_pending(self._runs.rows_of(name))
        return self._record(self._table.read(name) if stop_run else after)

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        def resumed(row: Row, now: datetime) -> Row | None:
            status = status_after(name, row.status, "resume")
            if row.status is status:
                return None
            second = floor_second(now)
            if not row.owned:  # the row of the AWS Solutions scheduler becomes owned
                row = row._replace(created_at=now, anchor=second)
            cursor = max(row.cursor, second)
            instructions = with_retention_of(row.plan, self.prepare(row.job).plan)
            plan = instructions_text(instructions, row.job, anchor=row.anchor, version=row.version)
            row = row._replace(cursor=cursor, plan=plan, updated_at=now, pause_reason=None)
            if row.job.anchored(row.anchor).next_run(after=cursor) is None:
                return row._replace(status=JobStatus.ENDED)
            return row._replace(status=status, token=new_token())

        before, after = self._change(name, group, resumed)
        if before is after:
            return self.ensure(self._record(after))
        self._replace_execution(before, after)
        return self._record(after)

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        try:
            row = self._row(name, group)
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            self._cancel_unreadable(name, group, stop_run=stop_run)
            detail = f"job {name!r} was cancelled and removed, although it cannot be read: {error.detail}"
            raise BackendError("dynamodb", "cancel", error.code, detail=detail) from error
        left = _ATTEMPTS
        while not self._table.delete(row):
            row, left = self._row(name, group), left - 1
            if not left:
                raise ConflictError(name, row.version)
        self._runs.close(name, self.now())
        self._end_execution(row, stop_run=stop_run)
        self._counts.add(JOBS_DELETED)
        return self._record(row._replace(status=JobStatus.CANCELLED, pause_reason=None))

    def _cancel_unreadable(self, name: str, group: str | None, *, stop_run: bool) -> None:
        item = self._table.item(name)
        if item is None or (group is not None and group_in(item) not in (None, group)):
            raise JobNotFoundError(name)
        if not self._table.delete_unreadable(item):
            raise ConflictError(name, int(item[LATEST]["N"]))
        self._runs.close(name, self.now())
        cause = f"execution disabled for {name}"
        self._job_executions.end_unreadable(item, DISABLED, cause, stop_run=stop_run)
        self._counts.add(JOBS_DELETED)

    def _end_execution(self, row: Row, *, stop_run: bool) -> None:
        cause = f"execution disabled for {row.job.name}"
        if stop_run:
            self._recovery.stop_runs(row, self.now(), DISABLED, cause, self._cancel_started)
        self._job_executions.end(row, DISABLED, cause)

    def _cancel_started(self, row: Row, run: str, child: str | None) -> None:
        """Cancels the run of a workflow that a run of a job has started, and which would go on without it."""
        if self._workflows is not None:
            target = row.job.target
            name = target.workflow if isinstance(target, WorkflowTarget) else None
            self._workflows.cancel_started(name, run_id_of(row.job.name, run), child)

    def ensure(self, record: JobRecord) -> JobRecord:
        try:
            repairs = self._recovery.recover(self._table.read(record.name), self.now())
            return self.get(record.name) if repairs else record
        except JobNotFoundError:  # the job has ended, or was cancelled
            return record

    def repair(self) -> builtins.list[Repair]:
        """Finds and repairs problems of all jobs. Afterwards the rows of zones are renewed, if there are any,
        without a report."""
        self._ready()
        found = repair(
            self._recovery, self._runs, now=self.now(), indexed=self._is_indexed, workers=self._workers
        )
        renew_zone_rows(self._table, workers=self._workers)
        return found

    def _change(
        self, name: str, group: str | None, decide: Callable[[Row, datetime], Row | None]
    ) -> tuple[Row, Row]:
        """Changes the current row of a job, and repeats the decision if the row has changed in the meantime.

        Args:
            name: The name of the job.
            group: The group that the job must have. None: any.
            decide: Returns the new row, or None if there is nothing to change.

        Returns:
            The row before and after the change; the same row if nothing was changed.

        Raises:
            ConflictError: Every attempt conflicted with another change.
        """
        for left in reversed(range(_ATTEMPTS)):
            before = self._row(name, group)
            after = decide(before, self.now())
            if after is None:
                return before, before
            if self._table.change(before, after):
                return before, after._replace(owned=True)
            if not left:
                raise ConflictError(name, before.version)
        raise AssertionError("the last attempt raises or returns")

    def _replace_execution(self, before: Row, after: Row) -> None:
        """Stops the execution of the earlier row, and starts that of the new one."""
        cause = "execution superseded"
        if after.token is not None:
            cause = f"execution superseded by {self._job_executions.execution_of(after)}"
        elif after.status is JobStatus.PAUSED and before.status is JobStatus.ACTIVE:
            self._end_execution(before, stop_run=False)
            return
        self._job_executions.end(before, SUPERSEDED, cause)
        if after.token is not None:
            self._job_executions.start(after)

    # -- runs ----------------------------------------------------------------------------------------------

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        row = self._row(name, group)
        now, token = self.now(), new_token()
        version = run_key(now, token)
        run = Run(
            id=run_id(name, version, now),
            job=name,
            scheduled_for=row.job.schedule.localise(now),
            status=RunStatus.PENDING,
            trigger=Trigger.MANUAL,
        )
        self._require_owned(row)
        self._table.put_new(write_run(run, token=token, recorded_at=now, version=version))
        self._job_executions.start_unscheduled(name, [version], token)
        return run

    def _require_owned(self, row: Row) -> None:
        if not row.owned:
            reason = "it is a task of the AWS Solutions scheduler"
            raise UnsupportedError(row.job.name, self.name, reason, ("client.resume(name) takes it over",))

    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        row = self._row(name, group)
        self._require_owned(row)
        now = self.now()
        last = min(until, row.cursor if row.status is JobStatus.ACTIVE else now)
        schedule = row.job.anchored(row.anchor)
        instants = schedule.runs(after=just_before(since), until=last)
        wanted = builtins.list(islice(instants, _MAX_BACKFILL + 1))
        if len(wanted) > _MAX_BACKFILL:
            raise ValueError(
                f"the range from {since.isoformat()} to {until.isoformat()} contains more than "
                f"{_MAX_BACKFILL:,} runs; backfill a shorter range"
            )
        skipped = {run_key(run.scheduled_for) for run in self._runs.skipped(name, since, until)}
        claimed = {*skipped, *(() if row.claim is None else (row.claim.key,))}
        room = (_MAX_INPUT_BYTES - len(row.plan.encode())) // _BYTES_PER_KEY
        portion = max(1, min(_MAX_KEYS, room))
        tokens = [new_token() for _ in range(0, len(wanted), portion)]

        def record(numbered: tuple[int, datetime]) -> Run | None:
            number, instant = numbered
            version, recorded_at = run_key(instant), now + timedelta(milliseconds=number)
            run = Run(
                id=run_id(name, version, recorded_at),
                job=name,
                scheduled_for=instant,
                status=RunStatus.PENDING,
                trigger=Trigger.BACKFILL,
            )
            token = tokens[number // portion]
            waiting = write_run(run, token=token, recorded_at=recorded_at, version=version)
            return run if version not in claimed and self._table.put_new(waiting) else None

        recorded = pool.each(record, enumerate(wanted), workers=self._workers)
        with reporting(None, len(wanted)) as tell:
            runs = [run for run in reported(recorded, tell) if run is not None]
        self._job_executions.start_pending(self._runs.rows_at(name, wanted))
        return runs

    def redrive(self, run: Run) -> Run:
        self._ready()
        action = "redrive a run of"
        for left in reversed(range(_ATTEMPTS)):
            try:
                row = self._table.read(run.job)
            except JobNotFoundError as error:
                raise InvalidTransitionError(run.job, "gone", action) from error
            found = self._runs.find(run)
            status = "without such a run" if found is None else f"a run that is {found.run.status.value}"
            if found is None or found.run.status is not RunStatus.FAILED:
                raise InvalidTransitionError(run.job, status, action)
            seen = {"old_status": {"S": RunStatus.FAILED.value}}
            if self._recovery.make_pending(row, found.key, HAS_STATUS, values=seen) is not None:
                pending = found.run.replace(
                    status=RunStatus.PENDING, attempt=0, started_at=None, ended_at=None, error=None, link=None
                )
                return localised(row.job.schedule, pending)
            if not left:
                raise ConflictError(run.job, row.version)
        raise AssertionError("the last attempt raises or returns")

    def runs(self, query: RunQuery) -> Iterator[Run]:
        self._ready()
        if query.job is None and not self._is_indexed:
            reason = f"table {self._table.name!r} has no index {INDEX!r}, which lists the runs of all jobs"
            instead = ("client.runs(name)", "a table of stepsched.deploy.template(...)")
            raise UnsupportedError("*", self.name, reason, instead)
        return iter(self._runs.list(query))

    def run(self, run: Run) -> Run | None:
        """The current state of a run. A run that was skipped because of an earlier one (``Overlap.SKIP``) has
        no row of its own, and is found by the list of skipped runs."""
        found = super().run(run)
        if found is not None or run.status is not RunStatus.SKIPPED:
            return found
        skipped = self.runs(RunQuery(job=run.job, status=RunStatus.SKIPPED, until=run.scheduled_for))
        return next((each for each in skipped if each.id == run.id), None)

    # -- values --------------------------------------------------------------------------------------------

    def _row(self, name: str, group: str | None) -> Row:
        self._ready()
        row = self._table.read(name)
        if group is not None and group != row.job.group:
            raise JobNotFoundError(name)
        return row

    def _record(self, row: Row) -> JobRecord:
        (record,) = self._records([row])
        return record

    def _records(self, rows: Iterable[Row]) -> Iterator[JobRecord]:
        rows = builtins.list(rows)
        latest = self._runs.latest(rows)
        for row in rows:
            yield JobRecord(
                job=row.job,
                status=row.status,
                version=row.version,
                created_at=row.created_at,
                updated_at=row.updated_at,
                next_run=row.next_run,
                pause_reason=row.pause_reason,
                last_run=latest.get(row.job.name),
                owned=row.owned,
                current=row.owned,
            )


def _validate_workflows_arn(arn: Any, state_machine_arn: str) -> None:
    """Validates the ARN of the machine that runs workflows.

    Raises:
        ValueError: It is not such an ARN, or not in the account and Region of the other machine, or that
        machine.
    """
    validate_state_machine_arn(arn, "workflows_arn")
    home, place = state_machine_arn.rsplit(":", 1)[0], str(arn).rsplit(":", 1)[0]
    if home != place or arn == state_machine_arn:
        raise ValueError(
            f"expected workflows_arn to be another machine in {home.removesuffix(':stateMachine')}, got "
            f"{quoted(arn)}; use the outputs StateMachineArn and WorkflowsArn of one stack"
        )


def _validate_retention(retention: Any) -> timedelta:
    """Validates how long the history of runs is kept.

    Raises:
        ValueError: It is not a timedelta from one day to ten years.
    """
    if not isinstance(retention, timedelta) or not _DAY <= plain_duration(retention) <= _TEN_YEARS:
        raise ValueError(
            f"expected a timedelta from a day to ten years for retention, got {quoted(retention)}"
        )
    return plain_duration(retention)


def _first_cursor(job: Job, second: datetime) -> datetime:
    """The instant after which the first run is planned. A rate without start runs at its creation (P-12)."""
    return second - _SECOND if job.starts_at_creation else second


def _client(session: Any, region: str, endpoint_url: str | None, workers: int, service: str) -> Any:
    """A client of boto3 for a service."""
    from botocore.config import Config

    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 8},
        max_pool_connections=workers,
        connect_timeout=10,
        read_timeout=30,
        user_agent_extra="stepsched",
        parameter_validation=False,  # requests are built here, and not from data of a caller
    )
    return session.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
