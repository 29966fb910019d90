"""Lists runs, from the table and from the claims of running executions."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice

from stepsched.backends.base import RunQuery
from stepsched.backends.stepfunctions.rows import (
    Claim,
    Item,
    Row,
    RunRow,
    due_of,
    floor_second,
    key,
    read_instant,
    read_job,
    read_run_rows,
    run_id,
    run_key,
    write_expiry,
    write_instant,
    write_second,
)
from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.errors import JobNotFoundError
from stepsched.jobs import JobStatus, Run, RunStatus
from stepsched.jobs.records import STILL_RAN
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import CURRENT, NAME, RUN, VERSION, write
from stepsched.schedules import AnySchedule

_SECOND = timedelta(seconds=1)
_LAST_YEAR = 9999


class Runs:
    """The runs of the jobs of a table."""

    def __init__(self, table: Table, executions: Executions, retention: timedelta) -> None:
        """The runs of one table.

        Args:
            table: The table.
            executions: The executions of its machine.
            retention: How long the rows of ended runs are kept.
        """
        self._table = table
        self._executions = executions
        self._retention = retention

    def linked(self, row: RunRow) -> Run:
        """The run of a row, with the URL of the console page that shows its execution."""
        if row.execution is None:
            return row.run
        return row.run.replace(link=self._executions.link(row.execution))

    def list(self, query: RunQuery) -> list[Run]:
        """The runs that match, in the order in which they were recorded. With a limit, those with the latest
        scheduled instants; with ``before`` too, those with the largest IDs."""
        if query.since is not None and query.until is not None and query.since > query.until:
            return []  # DynamoDB refuses such a range
        rows = list(self._rows_of_job(query, query.job) if query.job else self._rows_of_all_jobs(query))
        found = {run.id: run for run in map(self.linked, rows)}
        if query.status in (None, RunStatus.RUNNING):
            found = {run.id: run for run in self._claimed_runs(query)} | found
        if query.status in (None, RunStatus.SKIPPED):
            found = {run.id: run for run in self._skipped(rows)} | found
        matching = [run for run in found.values() if _matches(run, query)]
        if query.limit is not None:
            matching.sort(key=lambda run: run.id)
            if query.before is None:
                matching.sort(key=lambda run: run.scheduled_for)
            matching = matching[max(0, len(matching) - query.limit) :]
        return self._localise(sorted(matching, key=lambda run: run.id))

    def _localise(self, runs: Sequence[Run]) -> builtins.list[Run]:
        """The runs, with their scheduled instants in the zone of the job's current schedule, or in UTC if the
        job no longer exists or cannot be read."""
        names = dict.fromkeys(run.job for run in runs)
        found = {item[NAME]["S"]: _schedule_in(item) for item in self._table.items(map(key, names))}
        return [localised(found.get(run.job), run) for run in runs]

    def _rows_of_job(self, query: RunQuery, name: str) -> Iterator[RunRow]:
        low, high = _range(query)
        exact = query.until is None or not query.until.microsecond
        few = query.limit is not None and query.status is None and exact and query.before is None
        rows = self._table.runs(name, RUN + low, f"{RUN}{high}", latest_first=few)
        return islice(rows, query.limit) if few else rows

    def _rows_of_all_jobs(self, query: RunQuery) -> Iterator[RunRow]:
        statuses = [query.status] if query.status is not None else list(RunStatus)
        for status in statuses:
            yield from self._rows_of_status(status, query)
        if query.status is RunStatus.SKIPPED:  # most are recorded in the row of an earlier run
            yield from self._rows_of_status(RunStatus.SUCCEEDED, query)
            yield from self._rows_of_status(RunStatus.FAILED, query)

    def _rows_of_status(self, status: RunStatus, query: RunQuery) -> Iterator[RunRow]:
        low, high = _range(query)
        few = query.limit if query.status is not RunStatus.SKIPPED and query.before is None else None
        listed = self._table.keys_by_status(status.value, low, high, latest_first=few is not None)
        return read_run_rows(self._table.items(listed if few is None else islice(listed, few)))

    def _claimed_runs(self, query: RunQuery) -> Iterator[Run]:
        """The running scheduled runs. Their rows are written when they end."""
        for row in self._rows(query):
            if row.claim is not None:
                yield self._run_of_claim(row.job.name, row.claim)

    def _run_of_claim(self, name: str, claim: Claim) -> Run:
        """The run of a claim: that of its row, or one built from the claim if it has no row yet."""
        row = self._table.run(name, claim.key)
        return self._running(name, claim) if row is None else self.linked(row)

    def _rows(self, query: RunQuery) -> Iterator[Row]:
        if query.job is not None:
            try:
                yield self._table.read(query.job)
            except JobNotFoundError:
                return
        else:
            for status in (JobStatus.ACTIVE, JobStatus.PAUSED):
                listed = self._table.keys_by_status(status.value)
                names = (item[NAME]["S"] for item in listed if item[VERSION]["S"] == CURRENT)
                yield from self._table.read_many(names)

    def _running(self, name: str, claim: Claim) -> Run:
        due = read_instant(due_of(claim.key))
        return Run(
            id=run_id(name, claim.key, due),
            job=name,
            scheduled_for=due,
            status=RunStatus.RUNNING,
            attempt=1,
            started_at=claim.started_at,
            link=self._executions.link(claim.execution),
        )

    def _skipped(self, rows: Sequence[RunRow]) -> Iterator[Run]:
        """The runs that were skipped because an earlier run was still running (``Overlap.SKIP``)."""
        longer = [row for row in rows if row.passed is not None and row.passed > row.run.scheduled_for]
        current = {row.job.name: row for row in self._table.read_many({row.run.job for row in longer})}
        versions = {(row.run.job, row.job_version) for row in longer if row.job_version is not None}
        definitions = {
            (item[NAME]["S"], int(item[VERSION]["S"][1:])): item
            for item in self._table.items(key(*version) for version in versions)
        }
        for row in longer:
            name, passed = row.run.job, row.passed
            definition = definitions.get((name, row.job_version or 0))
            if passed is None or definition is None or name not in current:
                continue
            if read_instant(definition[schema.WRITTEN_AT]["S"]) > (row.run.ended_at or passed):
                continue  # the version belongs to a later job of the same name
            job = read_job(definition).anchored(current[name].anchor)
            for instant in job.runs(after=row.run.scheduled_for, until=passed):
                at = instant.astimezone(timezone.utc)
                yield Run(
                    id=run_id(name, run_key(at), at),
                    job=name,
                    scheduled_for=at,
                    status=RunStatus.SKIPPED,
                    ended_at=at,
                    error=STILL_RAN,
                )

    def skipped(self, name: str, since: datetime, until: datetime) -> Sequence[Run]:
        """The skipped runs of a job in a range."""
        return self.list(RunQuery(job=name, status=RunStatus.SKIPPED, since=since, until=until))

    def latest(self, rows: Iterable[Row]) -> dict[str, Run]:
        """The last run of each job: the running one, or the one that ended last."""
        found: dict[str, Run] = {}
        keys, schedules = {}, {}
        for row in rows:
            schedules[row.job.name] = row.job.schedule
            if row.claim is not None:
                found[row.job.name] = self._run_of_claim(row.job.name, row.claim)
            elif row.last is not None:
                keys[row.job.name] = row.last
        for last in read_run_rows(self._table.items(key(name, version) for name, version in keys.items())):
            found[last.run.job] = self.linked(last)
        return {name: localised(schedules[name], run) for name, run in found.items()}

    def find(self, run: Run) -> RunRow | None:
        """The row of a run. None: there is none."""
        first = run_key(run.scheduled_for)
        found = self._table.runs(run.job, first, f"{first}$")
        return next((row for row in found if row.run.id == run.id), None)

    def close(self, name: str, now: datetime) -> None:
        """Records the pending runs of a cancelled job as skipped."""
        for row in self._table.runs(name):
            if row.run.status is RunStatus.PENDING:
                self.close_one(row, now)

    def close_one(self, row: RunRow, now: datetime) -> bool:
        """Records a pending run of a cancelled job as skipped.

        Returns:
            False if the run has started in the meantime.
        """
        closed = write(
            schema.HAS_STATUS,
            values={"old_status": {"S": RunStatus.PENDING.value}},
            sets={
                schema.STATUS: {"S": RunStatus.SKIPPED.value},
                schema.ERROR: {"S": "the job was cancelled"},
                schema.ENDED_AT: {"S": write_instant(now)},
                schema.TTL: write_expiry(now + self._retention),
            },
        )
        return self._table.update({"Key": key(row.run.job, row.key), **closed})

    def rows_at(self, name: str, instants: Sequence[datetime]) -> Iterator[RunRow]:
        """The rows of the runs of a job at the given scheduled instants."""
        return read_run_rows(self._table.items(key(name, run_key(instant)) for instant in instants))

    def rows_of(self, name: str) -> Iterator[RunRow]:
        """The rows of all runs of a job."""
        return self._table.runs(name)


def _schedule_in(item: Item) -> AnySchedule | None:
    """The schedule of a current row. None: the row cannot be read. Listing jobs warns of such rows."""
    try:
        return read_job(item).schedule
    except (KeyError, ValueError):
        return None


def localised(schedule: AnySchedule | None, run: Run) -> Run:
    """The run, with its scheduled instant in the zone of ``schedule``. None leaves the run unchanged."""
    if schedule is None:
        return run
    moment = schedule.localise(run.scheduled_for)
    is_localised = moment.utcoffset() == run.scheduled_for.utcoffset()
    return run if is_localised else run.replace(scheduled_for=moment)


def _range(query: RunQuery) -> tuple[str, str]:
    """The bounds of a range of instants as texts, rounded outwards to seconds."""
    # The lower bound has no "Z", which sorts after the dot of a fraction.
    low = " " if query.since is None else write_second(floor_second(query.since))[:-1]
    is_last = query.until is None or query.until.astimezone(timezone.utc).year == _LAST_YEAR
    high = "~" if query.until is None or is_last else write_instant(query.until + _SECOND)
    return low, high


def _matches(run: Run, query: RunQuery) -> bool:
    return (
        query.job in (None, run.job)
        and query.status in (None, run.status)
        and (query.since is None or run.scheduled_for >= query.since)
        and (query.until is None or run.scheduled_for <= query.until)
        and (query.before is None or run.id < query.before)
    )
