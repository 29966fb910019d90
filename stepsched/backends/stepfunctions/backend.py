"""Step Functions and DynamoDB: the port's verbs over a table of jobs and one machine that runs them."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from typing_extensions import Self

from stepsched.aws.sdk import check_place, mapped
from stepsched.backends import pool
from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, checked_prepared
from stepsched.backends.capabilities import BUILT_IN
from stepsched.backends.stepfunctions.executions import JobExecutions, new_token
from stepsched.backends.stepfunctions.instructions import (
    NAME,
    instructions_of,
    text_of,
    warn_unobserved_failures,
)
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.repairs import repair
from stepsched.backends.stepfunctions.rows import Row, floor_second, run_id, run_key, write_run
from stepsched.backends.stepfunctions.runs import Runs, in_zone_of
from stepsched.backends.stepfunctions.service import DISABLED, SUPERSEDED, Executions, checked_machine
from stepsched.backends.stepfunctions.stacks import find_stack
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.clock import Clock, checked_clock
from stepsched.core.errors import (
    ConflictError,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    StepschedError,
    UnsupportedError,
)
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus, Trigger
from stepsched.jobs.job import is_name
from stepsched.jobs.records import status_after
from stepsched.machines.calls import places_of
from stepsched.machines.shared.table_schema import HAS_STATUS, INDEX, TOKEN

Item = TypeVar("Item")
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_SECOND = timedelta(seconds=1)
_DAY, _TEN_YEARS = timedelta(days=1), timedelta(days=3_653)
_READ_AT_ONCE = 100
_ATTEMPTS = 20
"""Of a change that meets those of others."""
_BACKFILLED_AT_ONCE = 10_000
_HANDED_OVER = 230_000
"""Bytes that an execution may hold of a job's plan and of the keys of runs beside the schedule."""
_KEY = 32
"""Bytes of a key, with all that belongs to it."""
_MOST_HANDED_OVER = 4_000
"""Keys that it may hold: for each run it goes through all of them."""


class StepFunctionsBackend(Backend):
    """Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

    Nothing runs in this process, and no Lambda is needed: the machine itself works out when a job runs next,
    for every kind of schedule and in every zone. ``stepsched.deploy.template`` gives the stack of table and
    machine, and :meth:`SchedulerClient.from_stack` finds them in it. Where the account, the Region,
    credentials and the endpoint come from is as in boto3.

    Lists read an index that follows the table within moments; everything else is as of now.
    """

    name = NAME
    capabilities = BUILT_IN["StepFunctionsBackend"]
    first_pause = 1.0

    def __init__(
        self,
        *,
        state_machine_arn: str,
        table_name: str,
        retention: timedelta = timedelta(days=30),
        session: Any = None,
        endpoint_url: str | None = None,
        clock: Clock | None = None,
        workers: int = 32,
    ) -> None:
        """A backend on one machine and its table. boto3 loads here; no call is made.

        Args:
            state_machine_arn: The machine, without alias or version.
            table_name: The table whose jobs it runs.
            retention: How long the history of a run is kept once it has ended, from a day to ten years;
                of jobs that are created or updated from now on.
            session: A ``boto3.Session``. None: boto3's default, in the machine's Region.
            endpoint_url: Another place for every service that is called. None: as boto3 finds it.
            clock: Whose present decides what lies in the past. None: the machine's.
            workers: How many calls go on at once in bulk verbs; at least 1.

        Raises:
            TypeError: ``session`` or ``clock`` is something else.
            ValueError: An argument is malformed.
            BackendError: boto3 finds no profile.
        """
        checked_machine(state_machine_arn)
        if not isinstance(table_name, str) or _TABLE_NAME.fullmatch(table_name) is None:
            raise ValueError(
                "expected the name of a table for table_name (3 to 255 of A-Z a-z 0-9 _ . -), "
                f"got {table_name!r}"
            )
        check_place(session, endpoint_url)
        self._retention = _checked_retention(retention)
        self._clock = checked_clock(clock)
        self._workers = pool.checked_workers(workers)
        region = state_machine_arn.split(":")[3]
        dynamodb, states = _clients(session, region, endpoint_url, workers)
        self._table = Table(dynamodb, table_name)
        self._executions = Executions(states, state_machine_arn)
        self._job_executions = JobExecutions(self._table, self._executions)
        self._recovery = Recovery(self._job_executions, retention)
        self._runs = Runs(self._table, self._executions, retention)
        self._calls: frozenset[str] | None = None
        self._is_indexed = True

    @classmethod
    def from_stack(
        cls,
        name: str,
        *,
        state_machine_output: str = "StateMachineArn",
        table_output: str = "TableName",
        retention: timedelta = timedelta(days=30),
        session: Any = None,
        endpoint_url: str | None = None,
        clock: Clock | None = None,
        workers: int = 32,
    ) -> Self:
        """A backend on the machine and the table of a CloudFormation stack, such as that of
        ``stepsched.deploy.template``. One call is made, ``cloudformation:DescribeStacks``, once the
        arguments have been checked.

        Args:
            name: The stack's, or its ARN, in the session's Region.
            state_machine_output: The output that holds the machine's ARN.
            table_output: The output that holds the table's name.
            retention: As for the backend.
            session: As for the backend.
            endpoint_url: As for the backend.
            clock: As for the backend.
            workers: As for the backend.

        Raises:
            TypeError: ``session`` or ``clock`` is something else.
            ValueError: An argument is malformed.
            BackendError: There is no such stack, or it lacks an output.
            AccessDeniedError: It may not be described.
        """
        retention, clock = _checked_retention(retention), checked_clock(clock)
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

    @property
    def state_machine_arn(self) -> str:
        """The machine that runs the jobs."""
        return self._executions.machine_arn

    @property
    def table_name(self) -> str:
        """The table of the jobs."""
        return self._table.name

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the connections that this backend has made; a call afterwards is a :class:`BackendError`.
        Harmless twice."""
        self.stop(timeout=timeout)
        self._table.close()
        self._executions.close()

    def _ready(self) -> frozenset[str]:
        """Looks once whether table and machine are there and fit; answers what the machine can call."""
        if self._calls is None:
            self._is_indexed = self._table.check()
            self._calls = self._executions.calls(self._table.name)
        return self._calls

    # -- jobs ----------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def prepare(self, job: Job) -> Prepared:
        anchor = floor_second(self.now())

        def order_with(calls: frozenset[str]) -> dict[str, Any]:
            return instructions_of(job, anchor=anchor, version=1, keep=self._retention, calls=calls)

        known = self._calls
        try:
            order = order_with(self._ready())
        except UnsupportedError:
            if known is None:
                raise
            self._calls = None  # the machine may have learnt something since
            order = order_with(self._ready())
        home = (self._executions.partition, self._executions.region)
        for target in (job.target, job.dead_letter, job.notify):
            elsewhere = set() if target is None else places_of(target) - {home, (home[0], "")}
            if elsewhere:
                (partition, region), *_ = sorted(elsewhere)
                reason = f"a target in {region} ({partition}) is out of reach for a machine in {home[1]}"
                raise UnsupportedError(job.name, self.name, reason, ("a machine in that Region",))
        return Prepared(job, order)

    def create(self, prepared: Prepared) -> JobRecord:
        job, now = checked_prepared(prepared).job, self.now()
        job.refuse_if_over(now)  # its last run may have come due since it was checked
        anchor = floor_second(now)
        row = Row(
            job=job,
            status=JobStatus.ACTIVE,
            version=1,
            created_at=now,
            updated_at=now,
            anchor=anchor,
            cursor=_first_cursor(job, anchor),
            token=new_token(),
            plan=text_of(prepared.plan, job, anchor=anchor, version=1),
        )
        warn_unobserved_failures(job)
        try:
            self._table.create(row)
        except JobExistsError:
            stored = self._table.item(job.name)  # the answer to the same write may have been lost
            if stored is None or stored.get(TOKEN) != {"S": row.token}:
                raise
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
        """The jobs that fit, lazily, those of each status by their next run.

        A table without the index, such as that of the AWS Solutions scheduler, is read from end to end.
        """
        if query.status is JobStatus.CANCELLED or (query.name_prefix and not is_name(query.name_prefix)):
            return
        rows = self._rows(query)
        while portion := builtins.list(islice(rows, _READ_AT_ONCE)):
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
        job = checked_prepared(prepared).job

        def changed(row: Row, now: datetime) -> Row | None:
            if row.version != expected_version:
                raise ConflictError(job.name, expected_version)
            second = floor_second(now)
            keeps_grid = job.starts_at_creation and row.job.starts_at_creation  # P-13
            anchor = row.anchor if keeps_grid else second
            before = row.job.anchored(row.anchor)
            if keeps_grid:
                cursor = max(row.cursor, second) if row.status is not JobStatus.ACTIVE else row.cursor
            elif row.status is JobStatus.ACTIVE and before == job.anchored(anchor):
                cursor = row.cursor  # what has come due and is not claimed yet, the new definition runs
            else:
                cursor = max(row.cursor, _first_cursor(job, second))
            paused = row.status is JobStatus.PAUSED
            return row._replace(
                job=job,
                status=JobStatus.PAUSED if paused else JobStatus.ACTIVE,
                version=row.version + 1,
                created_at=row.created_at if row.owned else now,
                updated_at=now,
                anchor=anchor,
                cursor=cursor,
                token=None if paused else new_token(),
                plan=text_of(prepared.plan, job, anchor=anchor, version=row.version + 1),
            )

        warn_unobserved_failures(job)
        before, after = self._change(job.name, None, changed)
        self._take_over(before, after)
        return self._record(after)

    def pause(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        def paused(row: Row, now: datetime) -> Row | None:
            status = status_after(name, row.status, "pause")
            if row.status is status:
                return None
            return row._replace(status=status, token=None, updated_at=now)

        before, after = self._change(name, group, paused)
        self._end(before, stop_run=stop_run)
        if stop_run:  # what else waits of these executions is taken by others
            self._job_executions.ensure(self._runs.all_of(name))
        return self._record(self._table.read(name) if stop_run else after)

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        def resumed(row: Row, now: datetime) -> Row | None:
            status = status_after(name, row.status, "resume")
            if row.status is status:
                return None
            second = floor_second(now)
            if not row.owned:  # of the AWS Solutions scheduler: ours from now on
                row = row._replace(created_at=now, anchor=second)
            cursor = max(row.cursor, second)
            order = self.prepare(row.job).plan
            plan = text_of(order, row.job, anchor=row.anchor, version=row.version)
            row = row._replace(cursor=cursor, plan=plan, updated_at=now)
            if row.job.anchored(row.anchor).next_run(after=cursor) is None:
                return row._replace(status=JobStatus.ENDED)
            return row._replace(status=status, token=new_token())

        before, after = self._change(name, group, resumed)
        if before is after:
            return self.ensure(self._record(after))
        self._take_over(before, after)
        return self._record(after)

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        row = self._row(name, group)
        left = _ATTEMPTS
        while not self._table.delete(row):
            row, left = self._row(name, group), left - 1
            if not left:
                raise ConflictError(name, row.version)
        self._runs.close(name, self.now())
        self._end(row, stop_run=stop_run)
        return self._record(row._replace(status=JobStatus.CANCELLED))

    def _end(self, row: Row, *, stop_run: bool) -> None:
        cause = f"execution disabled for {row.job.name}"
        if stop_run:
            self._recovery.stop_runs(row, self.now(), DISABLED, cause)
        self._job_executions.end(row, DISABLED, cause)

    def ensure(self, record: JobRecord) -> JobRecord:
        try:
            mended = self._recovery.recover(self._table.read(record.name), self.now())
            return self.get(record.name) if mended else record
        except JobNotFoundError:  # it has ended, or somebody has cancelled it
            return record

    def repair(self) -> builtins.list[Repair]:
        self._ready()
        return repair(
            self._recovery, self._runs, now=self.now(), indexed=self._is_indexed, workers=self._workers
        )

    def _change(
        self, name: str, group: str | None, decide: Callable[[Row, datetime], Row | None]
    ) -> tuple[Row, Row]:
        """Writes what is decided of a row, as soon as nobody else writes between.

        Returns:
            The row as it was and as it is: the same where nothing was to do.
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

    def _take_over(self, before: Row, after: Row) -> None:
        """Ends the execution of an earlier definition, and starts that of the present one."""
        cause = "execution superseded"
        if after.token is not None:
            cause = f"execution superseded by {self._job_executions.execution_of(after)}"
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
        self._need_plan(row)
        self._table.put_new(write_run(run, token=token, recorded_at=now, version=version))
        self._job_executions.start_unscheduled(name, [version], token)
        return run

    def _need_plan(self, row: Row) -> None:
        if not row.owned:
            reason = "it is a task of the AWS Solutions scheduler"
            raise UnsupportedError(row.job.name, self.name, reason, ("client.resume(name) takes it over",))

    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        row = self._row(name, group)
        self._need_plan(row)
        now = self.now()
        last = min(until, row.cursor if row.status is JobStatus.ACTIVE else now)
        schedule = row.job.anchored(row.anchor)
        instants = schedule.runs(after=since - timedelta(microseconds=1), until=last)
        wanted = builtins.list(islice(instants, _BACKFILLED_AT_ONCE + 1))
        if len(wanted) > _BACKFILLED_AT_ONCE:
            raise ValueError(
                f"more than {_BACKFILLED_AT_ONCE:,} runs lie between {since.isoformat()} and "
                f"{until.isoformat()}; backfill a shorter range"
            )
        left_out = {run_key(run.scheduled_for) for run in self._runs.left_out(name, since, until)}
        claimed = {*left_out, *(() if row.claim is None else (row.claim.key,))}
        room = (_HANDED_OVER - len(row.plan.encode())) // _KEY
        portion = max(1, min(_MOST_HANDED_OVER, room))
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
        runs = [run for run in recorded if run is not None]
        self._job_executions.ensure(self._runs.at(name, wanted))
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
            if self._recovery.wait_again(row, found.key, HAS_STATUS, values=seen) is not None:
                pending = found.run.replace(
                    status=RunStatus.PENDING, attempt=0, started_at=None, ended_at=None, error=None, link=None
                )
                return in_zone_of(row.job.schedule, pending)
            if not left:
                raise ConflictError(run.job, row.version)
        raise AssertionError("the last attempt raises or returns")

    def runs(self, query: RunQuery) -> Iterator[Run]:
        self._ready()
        if query.job is None and not self._is_indexed:
            reason = (
                f"table {self._table.name!r} has no index {INDEX!r}, by which the runs of all jobs are found"
            )
            instead = ("client.runs(name)", "a table of stepsched.deploy.template(...)")
            raise UnsupportedError("*", self.name, reason, instead)
        return iter(self._runs.list(query))

    def run(self, run: Run) -> Run | None:
        """The run as it is now. One that was passed over (``Overlap.SKIP``) is known by an earlier run's row,
        to which its own instant does not lead."""
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
                last_run=latest.get(row.job.name),
                owned=row.owned,
                current=row.owned,
            )


def _checked_retention(retention: Any) -> timedelta:
    """How long the history of runs is kept, if it is a time that may be."""
    if not isinstance(retention, timedelta) or not _DAY <= retention <= _TEN_YEARS:
        raise ValueError(f"expected a timedelta from a day to ten years for retention, got {retention!r}")
    return retention


def _first_cursor(job: Job, second: datetime) -> datetime:
    """The instant after which the first run lies: the creation, at which a rate without start runs (P-12)."""
    return second - _SECOND if job.starts_at_creation else second


def _clients(session: Any, region: str, endpoint_url: str | None, workers: int) -> tuple[Any, Any]:
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 8},
        max_pool_connections=workers,
        connect_timeout=10,
        read_timeout=30,
        user_agent_extra="stepsched",
        parameter_validation=False,  # requests are made here, and not of what a caller hands over
    )
    with mapped("states", "connect"):
        session = boto3.Session() if session is None else session
        dynamodb, states = (
            session.client(name, region_name=region, endpoint_url=endpoint_url, config=config)
            for name in ("dynamodb", "stepfunctions")
        )
    return dynamodb, states
