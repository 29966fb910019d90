"""The history of runs, from the table and from what is going on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice

from stepsched.backends.base import RunQuery
from stepsched.backends.stepfunctions.lives import Lives
from stepsched.backends.stepfunctions.rows import (
    CURRENT,
    RUN,
    Claim,
    Item,
    Row,
    key,
    read_instant,
    read_job,
    read_run,
    run_id,
    run_key,
    whole_second,
    write_expiry,
    write_instant,
    write_second,
)
from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.errors import JobNotFoundError
from stepsched.jobs import STILL_RAN, Job, JobStatus, Run, RunStatus

_SECOND = timedelta(seconds=1)


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
        items = list(self._of_job(query, query.job) if query.job else self._of_all(query))
        found = {run.id: run for run in map(self.read, items)}
        if query.status in (None, RunStatus.RUNNING):
            found = {run.id: run for run in self._going_on(query)} | found
        if query.status in (None, RunStatus.SKIPPED):
            found = {run.id: run for run in self._left_out(items)} | found
        fitting = [run for run in found.values() if _fits(run, query)]
        if query.limit is not None:
            fitting.sort(key=lambda run: (run.scheduled_for, run.id))
            fitting = fitting[max(0, len(fitting) - query.limit) :]
        return sorted(fitting, key=lambda run: run.id)

    def _of_job(self, query: RunQuery, name: str) -> Iterator[Item]:
        low, high = _range(query)
        few = query.limit is not None and query.status is None
        items = self._table.query(name, RUN + low, f"{RUN}{high}", latest_first=few)
        return islice(items, query.limit) if few else items

    def _of_all(self, query: RunQuery) -> Iterator[Item]:
        low, high = _range(query)
        wanted = [query.status] if query.status is not None else list(RunStatus)
        for status in wanted:
            listed = self._table.listed(status.value, low, high)
            if status is RunStatus.SKIPPED:  # most of these are known by the run that they stood behind
                yield from self._table.items(listed)
                if query.status is not None:
                    for other in (RunStatus.SUCCEEDED, RunStatus.FAILED):
                        yield from self._table.items(self._table.listed(other.value, low, high))
                continue
            yield from self._table.items(listed)

    def _going_on(self, query: RunQuery) -> Iterator[Run]:
        """The runs of the schedule that have begun; their rows are written when they end."""
        for row in self._rows(query):
            if row.claim is not None:
                yield self._running(row.job.name, row.claim)

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
        for item in self._table.items(key(name, int(number)) for name, number in versions):
            definitions[item["name"]["S"], item["version"]["S"][1:]] = read_job(item)
        for item in behind:
            name = item["name"]["S"]
            job, anchor = definitions.get((name, item["job_version"]["N"])), anchors.get(name)
            if job is None or anchor is None:
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

    def latest(self, rows: Iterable[Row]) -> dict[str, Run]:
        """For each job the run that started latest."""
        found: dict[str, Run] = {}
        keys = {}
        for row in rows:
            if row.claim is not None:
                found[row.job.name] = self._running(row.job.name, row.claim)
            elif row.last is not None:
                keys[row.job.name] = row.last
        for item in self._table.items(key(name, version) for name, version in keys.items()):
            run = self.read(item)
            found[run.job] = run
        return found

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

    def ensure(self, name: str, instants: Sequence[datetime], lives: Lives) -> None:
        """Makes sure that the runs of instants which wait will start, also after a call that was cut off."""
        waiting: dict[str, list[str]] = {}
        for item in self._table.items(key(name, run_key(instant)) for instant in instants):
            if item["status"]["S"] == RunStatus.PENDING.value:
                waiting.setdefault(item["token"]["S"], []).append(item["version"]["S"])
        for token, keys in waiting.items():
            if not lives.is_alive(name, token):
                lives.start_apart(name, sorted(keys), token)

    def redrive(self, item: Item, row: Row, lives: Lives) -> Run | None:
        """Lets a run that failed wait again; None where it has not failed."""
        version = item["version"]["S"]
        if lives.wait_again(row, version, "#status = :seen", seen=RunStatus.FAILED.value) is None:
            return None
        run = self.read(item)
        return run.replace(
            status=RunStatus.PENDING, attempt=0, started_at=None, ended_at=None, error=None, link=None
        )


def _range(query: RunQuery) -> tuple[str, str]:
    """From which text to which the runs of a stretch stand, by the second."""
    low = " " if query.since is None else write_second(whole_second(query.since))
    high = "~" if query.until is None else write_instant(query.until + _SECOND)
    return low, high


def _fits(run: Run, query: RunQuery) -> bool:
    return (
        query.job in (None, run.job)
        and query.status in (None, run.status)
        and (query.since is None or run.scheduled_for >= query.since)
        and (query.until is None or run.scheduled_for <= query.until)
    )
