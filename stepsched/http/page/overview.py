"""The page at the root: what runs next, what ran, the week, and the jobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from stepsched.backends.base import idle_reason
from stepsched.client import SchedulerClient
from stepsched.core.errors import UnsupportedError
from stepsched.http.page.markup import Child, Markup, element
from stepsched.http.page.parts import (
    RUN_COLUMNS,
    buttons,
    job_address,
    job_link,
    run_row,
    status,
    table,
    when,
    zone_of,
)
from stepsched.http.page.week import Week, WeekCounter, has_lanes, picture
from stepsched.jobs import JobRecord, JobStatus, Run, RunStatus
from stepsched.targets.summaries import target_summary
from stepsched.watching.stored import StoredJob, StoredJobs

NEXT = 10
"""The number of coming runs that are shown."""
RAN = 10
"""The number of runs that are shown of those that began last."""
ROWS = 50
"""The number of jobs on one page."""
_READ = 200
"""The number of runs that are read for a count, or to find those that have begun."""
_LONGEST = 200
"""The maximum number of characters of what is searched for."""
_CHOICES: Mapping[str, str] = {
    "": "not ended",
    "active": "active",
    "paused": "paused",
    "failing": "last run failed",
    "ended": "ended",
    "all": "all",
}
_RUN_CHOICES: Mapping[str, str] = {"": "all", **{each.value: each.value for each in RunStatus}}


class Choice(NamedTuple):
    """What a person wants to see."""

    text: str = ""
    """Words that the name, the group, the tags, the description or the target of a job contain."""
    status: str = ""
    runs: str = ""
    """The status of the runs that are shown. Empty: every status."""
    page: int = 1

    @classmethod
    def of(cls, query: str) -> Choice:
        """Reads the query of an address. What is not known is left out."""
        try:
            given = dict(parse_qsl(query[:2_000], max_num_fields=20))
        except ValueError:  # more fields
            given = {}
        page = given.get("page", "1")
        return cls(
            given.get("q", "").strip()[:_LONGEST],
            given.get("status", "") if given.get("status") in _CHOICES else "",
            given.get("runs", "") if given.get("runs") in _RUN_CHOICES else "",
            max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
        )

    def query(self, **changes: object) -> str:
        """Returns the query of an address with changes, such as ``?status=paused``."""
        new = self._replace(**changes)  # type: ignore[arg-type]  # the fields of the class
        pairs = {
            "q": new.text,
            "status": new.status,
            "runs": new.runs,
            "page": new.page if new.page > 1 else "",
        }
        given = {name: value for name, value in pairs.items() if value}
        return f"?{urlencode(given)}"

    def among(self, jobs: Sequence[StoredJob]) -> Sequence[StoredJob]:
        """Returns the jobs that are wanted."""
        if self.status == "failing":
            jobs = [each for each in jobs if each.is_failing]
        elif self.status == "":
            jobs = [each for each in jobs if each.record.status is not JobStatus.ENDED]
        elif self.status != "all":
            jobs = [each for each in jobs if each.record.status.value == self.status]
        for word in self.text.casefold().split():
            jobs = [each for each in jobs if word in each.text]
        return jobs


class Overview(NamedTuple):
    """What the page shows."""

    now: datetime
    choice: Choice
    counts: Counter[str]
    """The number of jobs by status, and of those whose last run failed."""
    running: int
    """The number of runs in progress, counted up to 200."""
    waiting: int
    """The number of runs that are recorded and have not begun, counted up to 200."""
    upcoming: Sequence[JobRecord]
    """The jobs whose next runs come first, in this order."""
    ran: Sequence[Run] | None
    """The runs that were recorded last, the latest first. None: the backend does not keep runs."""
    week: Week
    found: Sequence[JobRecord]
    """The jobs that are wanted, sorted by name."""
    known: Mapping[str, JobRecord]
    """All jobs by name."""
    idle: str | None
    """Why no process runs the jobs at present. None: one does, or a service."""


class Reader:
    """Reads what the page shows. May be used by several threads."""

    def __init__(self, client: SchedulerClient) -> None:
        """Creates the reader of the jobs of a client."""
        self._client = client
        self._stored = StoredJobs(client.backend, client.iterate)
        self._weeks = WeekCounter()

    def read(self, choice: Choice) -> Overview:
        """Returns the present state.

        Raises:
            BackendError: The backend returned an error.
        """
        now, jobs = self._client.backend.now(), self._stored.all()
        found = choice.among(jobs)
        due = [each for each in found if each.due < math.inf]
        counts = Counter(each.record.status.value for each in jobs)
        counts["failing"] = sum(each.is_failing for each in jobs)
        return Overview(
            now=now,
            choice=choice,
            counts=counts,
            running=len(self._runs(RunStatus.RUNNING) or ()),
            waiting=len(self._runs(RunStatus.PENDING) or ()),
            upcoming=[each.record for each in nsmallest(NEXT, due, key=lambda each: (each.due, each.name))],
            ran=self._ran(choice),
            week=self._weeks.count([each.record for each in due], now),
            found=[each.record for each in found],
            known={each.name: each.record for each in jobs},
            idle=idle_reason(self._client.backend),
        )

    def _ran(self, choice: Choice) -> Sequence[Run] | None:
        """Returns the runs that began last, the latest first; those that wait come after them."""
        found = self._runs(choice.runs or None)
        return None if found is None else sorted(found, key=_place)[:RAN]

    def _runs(self, status: str | None) -> Sequence[Run] | None:
        """Returns the runs that were recorded last; None if the backend does not keep runs."""
        try:
            return self._client.runs(status=status, limit=_READ)
        except UnsupportedError:
            return None


def _place(run: Run) -> tuple[bool, float, int]:
    at = run.started_at or run.ended_at or run.scheduled_for
    return run.status is RunStatus.PENDING, -at.timestamp(), -run.id


# -- as HTML -------------------------------------------------------------------------------------------


def content(seen: Overview, root: str) -> Markup:
    """Returns the content of the page.

    Args:
        seen: What it shows.
        root: The path of the application.
    """
    return element(
        "main",
        _summary(seen, root),
        element("div", _next(seen, root), _ran(seen, root), class_="columns"),
        _week(seen, root),
        _jobs(seen, root),
        id="main",
        data_now=seen.now.isoformat(timespec="milliseconds"),
        tabindex="-1",
    )


def _section(name: str, title: str, *children: Child, beside: Child = None) -> Markup:
    head = element("div", element("h2", title, id=f"{name}-title"), beside, class_="head")
    return element("section", head, *children, id=name, aria_labelledby=f"{name}-title")


def _summary(seen: Overview, root: str) -> Markup:
    def tile(number: int, words: str, query: str, kind: str, *, most: int | None = None) -> Markup:
        figure = element("strong", f"{number:,}{'+' if number == most else ''}")
        return element("li", element("a", figure, " ", words, href=f"{root}/{query}", class_=kind))

    choice, counts, total = seen.choice, seen.counts, len(seen.known)
    failing = counts["failing"]
    tiles = [
        tile(total, "job" if total == 1 else "jobs", choice.query(status="all", page=1), "all"),
        tile(counts["active"], "active", choice.query(status="active", page=1), "active"),
        tile(counts["paused"], "paused", choice.query(status="paused", page=1), "paused"),
        tile(
            failing,
            "whose last run failed",
            choice.query(status="failing", page=1),
            "failed" if failing else "none",
        ),
        tile(seen.running, "running now", choice.query(runs="running"), "running", most=_READ),
        tile(seen.waiting, "waiting", choice.query(runs="pending"), "waiting", most=_READ),
    ]
    idle = element("p", f"No process runs these jobs at present: {seen.idle}.", class_="warning")
    return element("div", element("ul", tiles, class_="tiles"), idle if seen.idle else None, id="summary")


def _next(seen: Overview, root: str) -> Markup:
    if not seen.upcoming:
        return _section("next", "Next", element("p", "No run is left.", class_="empty"))
    rows = (
        element(
            "tr",
            element("td", _next_run(record, seen.now)),
            element(
                "td",
                job_link(record.name, record.job.group, root),
                element("div", record.job.schedule.describe(), class_="quiet"),
            ),
        )
        for record in seen.upcoming
    )
    return _section(
        "next", "Next", table(("When", "Job"), rows, caption="The next run of each job, the earliest first")
    )


def _ran(seen: Overview, root: str) -> Markup:
    if seen.ran is None:
        return _section("ran", "Ran", element("p", "This backend does not keep runs.", class_="empty"))
    links = element("nav", _run_links(seen.choice, root), aria_label="Status of runs", class_="choices")
    if not seen.ran:
        return _section("ran", "Ran", element("p", "No such run is recorded.", class_="empty"), beside=links)
    rows = (run_row(run, seen.known.get(run.job), seen.now, root, has_job=True) for run in seen.ran)
    return _section(
        "ran", "Ran", table(RUN_COLUMNS[True], rows, caption="The latest runs", class_="runs"), beside=links
    )


def _run_links(choice: Choice, root: str) -> Iterable[Markup]:
    for value in ("", "failed", "running", "pending", "missed", "skipped"):
        is_chosen = "true" if choice.runs == value else None
        address = f"{root}/{choice.query(runs=value)}"
        yield element("a", _RUN_CHOICES[value], href=address, aria_current=is_chosen)


def _week(seen: Overview, root: str) -> Markup:
    week = seen.week
    if not week.lanes and not week.uncounted:
        return _section("week", "The coming week", element("p", "No run is left.", class_="empty"))
    zone = getattr(week.begin.tzinfo, "key", "UTC")
    words = [f"Times of {zone}."]
    frequent = [record.name for record, runs in week.lanes if runs.is_frequent]
    if not has_lanes(week):
        words.append(f"Runs in each hour, of {len(week.lanes):,} jobs together.")
        if frequent:
            more = f" and {len(frequent) - 5:,} more" if len(frequent) > 5 else ""
            words.append(f"Not counted, with more than one run a minute: {', '.join(frequent[:5])}{more}.")
    if week.uncounted:
        words.append(f"{week.uncounted:,} jobs are not counted yet.")
    lanes = week.lanes if has_lanes(week) else ()
    address = {each.name: job_address(each.name, each.job.group, root) for each, _ in lanes}
    beside = element("p", " ".join(words), class_="quiet")
    return _section("week", "The coming week", picture(week, address), beside=beside)


def _jobs(seen: Overview, root: str) -> Markup:
    choice, total = seen.choice, len(seen.found)
    last = max(1, -(-total // ROWS))
    page = min(choice.page, last)
    shown = seen.found[(page - 1) * ROWS : page * ROWS]
    if shown:
        rows = (_row(record, seen.now, root) for record in shown)
        body = table(
            ("Job", "Status", "Next run", "Last run", "Do"), rows, caption="Jobs", class_="jobs wide"
        )
    else:
        words = "There is no job yet." if not seen.known else "No job is like that."
        body = element("p", words, class_="empty")
    return _section("jobs", "Jobs", _search(choice, root, total), body, _pages(choice, root, page, total))


def _search(choice: Choice, root: str, total: int) -> Markup:
    options = (
        element("option", words, value=value, selected=value == choice.status)
        for value, words in _CHOICES.items()
    )
    runs = element("input", type="hidden", name="runs", value=choice.runs) if choice.runs else None
    return element(
        "form",
        element("label", "Search ", element("input", **_field(choice.text))),
        element("label", "Status ", element("select", options, name="status", id="status")),
        runs,
        element("button", "Show", type="submit"),
        element("span", "1 job" if total == 1 else f"{total:,} jobs", class_="quiet", role="status"),
        id="search",
        method="get",
        action=f"{root}/",
        role="search",
    )


def _field(text: str) -> dict[str, str]:
    hint = "name, group, tag, target"
    return {
        "type": "search",
        "name": "q",
        "id": "q",
        "value": text,
        "placeholder": hint,
        "autocomplete": "off",
    }


def _row(record: JobRecord, now: datetime, root: str) -> Markup:
    job, last = record.job, record.last_run
    reason = element("div", record.pause_reason, class_="quiet") if record.pause_reason else None
    none = element("span", "none", class_="quiet")
    return element(
        "tr",
        element(
            "th",
            job_link(job.name, job.group, root),
            element("div", job.schedule.describe(), class_="quiet"),
            element("div", target_summary(job.target), class_="quiet code"),
            scope="row",
        ),
        element("td", status(record.status.value), reason),
        element("td", _next_run(record, now), data_title="Next run"),
        element("td", _last(last, record, now) if last else none, data_title="Last run", class_="last"),
        element("td", element("div", buttons(record), class_="buttons")),
        id=f"job {job.group}/{job.name}",
    )


def _next_run(record: JobRecord, now: datetime) -> Markup:
    if record.next_run is None:
        return element("span", "none", class_="quiet")
    return when(record.next_run, zone_of(record), now)


def _last(run: Run, record: JobRecord, now: datetime) -> list[Child]:
    at = run.started_at or run.scheduled_for
    return [status(run.status.value), " ", when(at, zone_of(record), now)]


def _pages(choice: Choice, root: str, page: int, total: int) -> Markup | None:
    if total <= ROWS:
        return None
    last = -(-total // ROWS)
    before = element("a", "Previous", href=f"{root}/{choice.query(page=page - 1)}#jobs", rel="prev")
    after = element("a", "Next", href=f"{root}/{choice.query(page=page + 1)}#jobs", rel="next")
    left = total - page * ROWS
    more = f", {left:,} more" if left > 0 else ""
    words = f"{(page - 1) * ROWS + 1:,} to {min(total, page * ROWS):,} of {total:,} jobs{more}"
    return element(
        "nav",
        before if page > 1 else None,
        element("span", words),
        after if page < last else None,
        aria_label="Pages of jobs",
        class_="pages",
    )
