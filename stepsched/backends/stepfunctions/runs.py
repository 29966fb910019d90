"""The history of runs, from the table and from what is going on."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice

from stepsched.backends.base import RunQuery
from stepsched.backends.stepfunctions.rows import (
    Claim,
    Item,
    Row,
    floor_second,
    key,
    read_claimed,
    read_instant,
    read_job,
    read_run,
    run_id,
    run_key,
    write_expiry,
    write_instant,
    write_second,
)
from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.errors import JobNotFoundError, ScheduleWarning
from stepsched.jobs import Job, JobStatus, Run, RunStatus
from stepsched.jobs.records import STILL_RAN
from stepsched.machines.shared.table_schema import CURRENT, RUN
from stepsched.schedules import AnySchedule

_SECOND = timedelta(seconds=1)
_LAST_YEAR = 9999


class Runs:
    """The runs of the jobs of a table."""

    def __init__(self, table: Table, executions: Executions, keep: timedelta) -> None:
        """Those of one table.

        Args:
            table: The table.
            executions: The executions of its machine.
            keep: How long the rows of runs are kept that have ended.
        """
        self._table = table
        self._executions = executions
        self._keep = keep

    def read(self, item: Item) -> Run:
        """A run's row, with the page of the console that shows its execution."""
        execution = item["execution"]["S"] if "execution" in item else None
        return read_run(item, None if execution is None else self._executions.link(execution))

    def list(self, query: RunQuery) -> list[Run]:
        """The runs that fit, in the order in which they were recorded; of a limited number, those that were
        scheduled latest."""
        if query.since is not None and query.until is not None and query.since > query.until:
            return []  # DynamoDB refuses such a range
        rows = self._of_job(query, query.job) if query.job else self._of_all(query)
        items = list(filter(is_readable, rows))
        found = {run.id: run for run in map(self.read, items)}
        if query.status in (None, RunStatus.RUNNING):
            found = {run.id: run for run in self._going_on(query)} | found
        if query.status in (None, RunStatus.SKIPPED):
            found = {run.id: run for run in self._left_out(items)} | found
        fitting = [run for run in found.values() if _fits(run, query)]
        if query.limit is not None:
            fitting.sort(key=lambda run: (run.scheduled_for, run.id))
            fitting = fitting[max(0, len(fitting) - query.limit) :]
        return self._in_their_zones(sorted(fitting, key=lambda run: run.id))

    def _in_their_zones(self, runs: Sequence[Run]) -> builtins.list[Run]:
        """The runs, each scheduled in the zone of its job as that is defined now; in UTC where the job is
        gone or cannot be read."""
        names = dict.fromkeys(run.job for run in runs)
        found = {item["name"]["S"]: _schedule_in(item) for item in self._table.items(map(key, names))}
        return [in_zone_of(found.get(run.job), run) for run in runs]

    def _of_job(self, query: RunQuery, name: str) -> Iterator[Item]:
        low, high = _range(query)
        exact = query.until is None or not query.until.microsecond
        few = query.limit is not None and query.status is None and exact
        items = self._table.query(name, RUN + low, f"{RUN}{high}", latest_first=few)
        return islice(items, query.limit) if few else items

    def _of_all(self, query: RunQuery) -> Iterator[Item]:
        wanted = [query.status] if query.status is not None else list(RunStatus)
        for status in wanted:
            yield from self._of_status(status, query)
        if query.status is RunStatus.SKIPPED:  # most of these are known by the run that they stood behind
            yield from self._of_status(RunStatus.SUCCEEDED, query)
            yield from self._of_status(RunStatus.FAILED, query)

    def _of_status(self, status: RunStatus, query: RunQuery) -> Iterator[Item]:
        low, high = _range(query)
        few = query.limit if query.status is not RunStatus.SKIPPED else None
        listed = self._table.listed(status.value, low, high, latest_first=few is not None)
        return self._table.items(listed if few is None else islice(listed, few))

    def _going_on(self, query: RunQuery) -> Iterator[Run]:
        """The runs of the schedule that have begun; their rows are written when they end."""
        for row in self._rows(query):
            if row.claim is not None:
                yield self._claimed(row.job.name, row.claim)

    def _claimed(self, name: str, claim: Claim) -> Run:
        """The run of a claim: its row, where it has one."""
        item = self._table.item(name, claim.key)
        return self._running(name, claim) if item is None else self.read(item)

    def _rows(self, query: RunQuery) -> Iterator[Row]:
        if query.job is not None:
            try:
                yield self._table.read(query.job)
            except JobNotFoundError:
                return
        else:
            for status in (JobStatus.ACTIVE, JobStatus.PAUSED):
                listed = self._table.listed(status.value)
                names = (item["name"]["S"] for item in listed if item["version"]["S"] == CURRENT)
                yield from self._table.read_many(names)

    def _running(self, name: str, claim: Claim) -> Run:
        due = read_instant(claim.key[4:24])
        return Run(
            id=run_id(name, claim.key, due),
            job=name,
            scheduled_for=due,
            status=RunStatus.RUNNING,
            attempt=1,
            started_at=claim.started_at,
            link=self._executions.link(claim.execution),
        )

    def _left_out(self, items: Sequence[Item]) -> Iterator[Run]:
        """The runs that were not started because a longer one stood before them (``Overlap.SKIP``)."""
        behind = [item for item in items if "passed" in item and item["passed"]["S"] > item["due"]["S"]]
        anchors: dict[str, datetime] = {}
        definitions: dict[tuple[str, str], Job] = {}
        names = {item["name"]["S"] for item in behind}
        for row in self._table.read_many(names):
            anchors[row.job.name] = row.anchor
        versions = {(item["name"]["S"], item["job_version"]["N"]) for item in behind}
        written: dict[tuple[str, str], str] = {}
        for item in self._table.items(key(name, int(number)) for name, number in versions):
            version = item["name"]["S"], item["version"]["S"][1:]
            definitions[version], written[version] = read_job(item), item["written_at"]["S"]
        for item in behind:
            name, number = item["name"]["S"], item["job_version"]["N"]
            job, anchor = definitions.get((name, number)), anchors.get(name)
            ended_at = item["ended_at"]["S"] if "ended_at" in item else item["passed"]["S"]
            if job is None or anchor is None or written[name, number] > ended_at:
                continue  # of a job that is gone
            first, last = (read_instant(item[each]["S"]) for each in ("due", "passed"))
            for instant in job.anchored(anchor).runs(after=first, until=last):
                at = instant.astimezone(timezone.utc)
                yield Run(
                    id=run_id(name, run_key(at), at),
                    job=name,
                    scheduled_for=at,
                    status=RunStatus.SKIPPED,
                    ended_at=at,
                    error=STILL_RAN,
                )

    def left_out(self, name: str, since: datetime, until: datetime) -> Sequence[Run]:
        """The runs of a job in a range that a longer one has passed over."""
        return self.list(RunQuery(job=name, status=RunStatus.SKIPPED, since=since, until=until))

    def latest(self, rows: Iterable[Row]) -> dict[str, Run]:
        """For each job the run that started latest."""
        found: dict[str, Run] = {}
        keys, schedules = {}, {}
        for row in rows:
            schedules[row.job.name] = row.job.schedule
            if row.claim is not None:
                found[row.job.name] = self._claimed(row.job.name, row.claim)
            elif row.last is not None:
                keys[row.job.name] = row.last
        for item in self._table.items(key(name, version) for name, version in keys.items()):
            run = self.read(item)
            found[run.job] = run
        return {name: in_zone_of(schedules[name], run) for name, run in found.items()}

    def find(self, run: Run) -> Item | None:
        """The row of a run; None where there is none."""
        first = run_key(run.scheduled_for)
        for item in self._table.query(run.job, first, f"{first}$"):
            if self.read(item).id == run.id:
                return item
        return None

    def close(self, name: str, now: datetime) -> None:
        """Notes of the runs of a job that wait that they will not start: the job is gone."""
        for item in self._table.query(name):
            if item["status"]["S"] == RunStatus.PENDING.value:
                self.close_one(item, now)

    def close_one(self, item: Item, now: datetime) -> bool:
        """The same of one run; False where it has begun meanwhile."""
        return self._table.write(
            item["name"]["S"],
            item["version"]["S"],
            "SET #status = :skipped, #error = :why, ended_at = :now, expires_at = :expires",
            "#status = :pending",
            {
                ":skipped": {"S": RunStatus.SKIPPED.value},
                ":why": {"S": "the job was cancelled"},
                ":now": {"S": write_instant(now)},
                ":expires": write_expiry(now + self._keep),
                ":pending": {"S": RunStatus.PENDING.value},
            },
        )

    def waiting_of(self, name: str, instants: Sequence[datetime]) -> Iterator[Item]:
        """The rows of the runs of a job for certain instants."""
        return self._table.items(key(name, run_key(instant)) for instant in instants)

    def waiting(self, name: str) -> Iterator[Item]:
        """The rows of all runs of a job, those that wait among them."""
        return self._table.query(name)


def _schedule_in(item: Item) -> AnySchedule | None:
    """The schedule of a current row. None: it cannot be read, which whoever asks for jobs is told."""
    try:
        return read_job(item).schedule
    except (KeyError, ValueError):
        return None


def in_zone_of(schedule: AnySchedule | None, run: Run) -> Run:
    """The run, scheduled in the zone of the schedule; itself where there is none."""
    if schedule is None:
        return run
    moment = schedule.localise(run.scheduled_for)
    is_there = moment.utcoffset() == run.scheduled_for.utcoffset()
    return run if is_there else run.replace(scheduled_for=moment)


def _range(query: RunQuery) -> tuple[str, str]:
    """From which text to which the runs of a range stand, by the second."""
    # Without the letter at the end, which stands after the dot of a fraction.
    low = " " if query.since is None else write_second(floor_second(query.since))[:-1]
    is_last = query.until is None or query.until.astimezone(timezone.utc).year == _LAST_YEAR
    high = "~" if query.until is None or is_last else write_instant(query.until + _SECOND)
    return low, high


def _fits(run: Run, query: RunQuery) -> bool:
    return (
        query.job in (None, run.job)
        and query.status in (None, run.status)
        and (query.since is None or run.scheduled_for >= query.since)
        and (query.until is None or run.scheduled_for <= query.until)
    )


def is_readable(item: Item) -> bool:
    """Whether a run's row can be read; warns where it cannot."""
    try:
        run = read_run(item)
        if run.status is RunStatus.RUNNING:
            read_claimed(item)
    except (KeyError, ValueError) as error:
        words = (
            f"left out: row {item['version']['S']!r} of job {item['name']['S']!r} cannot be read: {error!r}"
        )
        warnings.warn(words, ScheduleWarning, stacklevel=2)
        return False
    return True
